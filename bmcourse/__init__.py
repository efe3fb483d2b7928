"""A course on big models (大模型) that runs."""

from bmcourse import threads

__version__ = "0.1.0"

threads.choose()
