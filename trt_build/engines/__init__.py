"""Engines: building them for a GPU, and keeping them in a cache."""
