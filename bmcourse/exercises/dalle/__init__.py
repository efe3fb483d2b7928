"""Lesson 14: a DALL-E."""
