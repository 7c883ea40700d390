"""The shortest code that honours each contract; all in this process."""
