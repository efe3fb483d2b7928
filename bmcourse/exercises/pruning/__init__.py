"""Lesson 10: pruning, quantization and distillation."""
