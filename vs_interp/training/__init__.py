"""Training: recipes, the loop, losses, checkpoints and validation.  Needs PyTorch."""
