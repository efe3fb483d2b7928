"""Lesson 17: a DALL-E."""
