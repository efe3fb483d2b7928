"""Lesson 16: a BERT."""
