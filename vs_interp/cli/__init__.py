"""The command line: one file a command, what they share in ``source``, ``render``, ``encoding`` and ``progress``."""
