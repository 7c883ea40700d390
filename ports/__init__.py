"""What the core needs from outside, one interface a module; each docstring is the contract."""
