"""Explanations (解释): which part of an input made a model say what it said, one method a file."""
