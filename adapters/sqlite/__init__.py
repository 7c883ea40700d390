"""One file, no server."""
