"""Lesson 13: a BERT."""
