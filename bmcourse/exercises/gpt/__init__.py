"""Lesson 15: a GPT, fine-tuned."""
