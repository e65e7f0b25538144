"""Convert a film as a job: in chunks that any worker can make, which are kept when finished and joined at the end."""
