"""Speech recognition with no network."""
