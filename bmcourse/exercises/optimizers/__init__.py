"""Lesson 05: the steps of optimizers."""
