"""A video file as a clip on its time line, and back."""
