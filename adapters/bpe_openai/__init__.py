"""OpenAI's tokenizers, offline, by the package bpe-openai."""
