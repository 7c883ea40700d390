"""One module, one use case: a class built with ports and called with keywords."""
