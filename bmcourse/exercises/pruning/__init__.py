"""Lesson 10: pruning."""
