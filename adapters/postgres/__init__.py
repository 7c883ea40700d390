"""Adapters over PostgreSQL, through asyncpg."""
