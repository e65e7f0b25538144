"""Whether an engine or a half-precision graph gives what the FP32 graph gives, and where not."""
