"""Lesson 05: losses, stable for any logits."""
