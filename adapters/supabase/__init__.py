"""Adapters over Supabase, through its own client and PostgREST."""
