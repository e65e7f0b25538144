"""What vs-interp says while it works: lines of the logger ``vs_interp``.

A program that configures logging gets them as it gets all others.  Where none is configured, as in a script for vspipe,
warnings go to standard error, as ``vs-interp: …``.  ``logging.getLogger("vs_interp").setLevel("ERROR")`` silences them.
"""

from __future__ import annotations

import logging
import sys

logger = logging.getLogger("vs_interp")


class _Fallback(logging.Handler):
    """Writes to what is standard error at that moment, as long as no other handler would have the line."""

    def emit(self, record: logging.LogRecord) -> None:
        others = [handler for handler in (*logger.handlers, *logging.root.handlers) if handler is not self]
        if not others and sys.stderr is not None:
            print(f"vs-interp: {record.getMessage()}", file=sys.stderr)


if not any(isinstance(handler, _Fallback) for handler in logger.handlers):
    logger.addHandler(_Fallback())


def speak(*, quiet: bool = False) -> None:
    """Let the command line say how far it is as well, or, ``quiet``, nothing but errors."""
    logger.setLevel(logging.ERROR if quiet else logging.INFO)
