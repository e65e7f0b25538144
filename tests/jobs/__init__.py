"""Tests of vs_interp.jobs."""
