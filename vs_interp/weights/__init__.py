"""Weights: the catalogue, their download, and the readers of checkpoints."""
