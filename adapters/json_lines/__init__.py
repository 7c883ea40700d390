"""One line of JSON for each record."""
