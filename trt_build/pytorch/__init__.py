"""The parts of trt_build that import PyTorch: export to a model file, and the torch-tensorrt front end."""
