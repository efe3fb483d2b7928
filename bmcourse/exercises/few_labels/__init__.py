"""Lesson 10: learning from few labels."""
