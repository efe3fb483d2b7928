"""Lesson 04: losses, stable for any logits."""
