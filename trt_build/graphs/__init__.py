"""Graphs, rewritten (half precision, colour, dynamic sizes), and what can be read off them before compiling."""
