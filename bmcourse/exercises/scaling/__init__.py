"""Lesson 14: scaling laws and many devices."""
