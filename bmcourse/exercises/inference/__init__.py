"""Lesson 07: decoding, caches and test losses."""
