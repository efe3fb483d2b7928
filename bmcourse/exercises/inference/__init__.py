"""Lesson 09: decoding, caches and test losses."""
