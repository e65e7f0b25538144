"""ONNX graphs: rewriting them (FP16, colour, dynamic sizes) and estimating costs from them before they are compiled."""
