"""What is shared between processes, in Redis."""
