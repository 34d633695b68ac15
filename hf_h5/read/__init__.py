"""Stored bytes to numpy rows: index, plan, fetch, decode, scatter."""
