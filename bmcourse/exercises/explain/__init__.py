"""Lesson 12: explanations of a model."""
