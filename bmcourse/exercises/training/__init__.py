"""Lesson 08: the training loop."""
