"""Data sets of frames for training and evaluation.  Does not need PyTorch."""
