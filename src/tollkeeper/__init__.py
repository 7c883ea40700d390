"""The services core of an AI product; see :func:`open_tollkeeper`."""
