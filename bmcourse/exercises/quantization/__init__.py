"""Lesson 11: fewer bits, and a teacher."""
