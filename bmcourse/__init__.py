"""A course on big models (大模型) that runs."""

__version__ = "0.1.0"
