"""Lesson 12: a GPT, fine-tuned."""
