"""Lesson 13: learning from few labels."""
