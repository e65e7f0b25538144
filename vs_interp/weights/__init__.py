"""Weights: the catalogue, downloads, and readers of checkpoints."""
