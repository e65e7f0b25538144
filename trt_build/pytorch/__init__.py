"""All of the builder that imports PyTorch: export, and torch-tensorrt's front end."""
