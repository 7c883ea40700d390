"""What the adapters over SQL databases share: no provider, no SDK."""
