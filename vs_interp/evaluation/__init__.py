"""Evaluation: scores of a network against held-out frames, in comparison with other methods."""
