"""Lesson 06: slopes by hand, the engine, and a layer's backward pass."""
