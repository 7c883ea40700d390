"""The outermost ring: settings, container, facade and command line."""
