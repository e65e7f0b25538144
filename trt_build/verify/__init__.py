"""Comparing engines and half-precision graphs with the FP32 graph, and finding where they go wrong."""
