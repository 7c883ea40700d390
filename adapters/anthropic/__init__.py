"""The Messages API of Anthropic, by its SDK."""
