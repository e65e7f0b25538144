"""Training samples: windows of footage, and synthetic scenes of moving photographs and sprites with exact flow."""
