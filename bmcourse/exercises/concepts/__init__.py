"""Lesson 01: how big a model is and how long it trains."""
