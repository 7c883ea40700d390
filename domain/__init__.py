"""The pure model: attrs and the standard library. No I/O, no clock, no randomness, no async."""
