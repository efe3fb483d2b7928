"""Lesson 04: attention and the Transformer."""
