"""Lesson 03: convolution and recurrence."""
