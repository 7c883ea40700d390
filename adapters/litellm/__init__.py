"""Every provider that litellm translates: its translation, our own transport."""
