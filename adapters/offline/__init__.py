"""A deterministic model for development and tests."""
