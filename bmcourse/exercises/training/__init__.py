"""Lesson 06: the training loop."""
