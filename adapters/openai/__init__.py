"""The OpenAI chat-completions wire format, for every server that speaks it."""
