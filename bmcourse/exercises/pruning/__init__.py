"""Lesson 08: pruning, quantization and distillation."""
