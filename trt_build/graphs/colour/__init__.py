"""Colour conversion in the graph, so that a network takes a clip's own planes and gives them back."""
