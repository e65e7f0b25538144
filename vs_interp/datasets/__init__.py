"""Frames to train and evaluate on, without PyTorch."""
