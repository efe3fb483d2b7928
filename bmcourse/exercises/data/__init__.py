"""Lesson 02: tokens, batches and splits."""
