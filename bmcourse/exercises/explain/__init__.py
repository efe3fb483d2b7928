"""Lesson 09: explanations of a model."""
