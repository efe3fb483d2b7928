"""Lesson 07: the steps of optimizers."""
