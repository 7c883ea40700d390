"""What adapters share, most of it for those that speak HTTP. It is no provider, and knows none."""
