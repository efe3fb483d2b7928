"""The architectures of the course, one a file."""
