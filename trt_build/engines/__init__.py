"""Engines: built for a GPU, kept in a cache, found again."""
