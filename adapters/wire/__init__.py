"""What adapters that speak HTTP share. It is no provider, and knows none."""
