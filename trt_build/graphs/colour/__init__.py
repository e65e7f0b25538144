"""A clip's own planes in and out of a graph."""
