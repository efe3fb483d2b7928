"""Lesson 11: scaling laws and many devices."""
