"""Lesson 03: convolution, recurrence and attention."""
