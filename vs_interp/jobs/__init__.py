"""A film as a job: in chunks that any worker makes, kept as they are finished, joined at the end."""
