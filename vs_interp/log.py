"""The package's logger, ``vs_interp``.

Its records go to whatever logging handlers a program configures.  Without any, as in a script for vspipe, warnings are
printed to standard error as ``vs-interp: …``; ``logging.getLogger("vs_interp").setLevel("ERROR")`` silences them.
"""

from __future__ import annotations

import logging
import sys

logger = logging.getLogger("vs_interp")


class _Fallback(logging.Handler):
    """Prints to the current standard error, unless another handler is configured."""

    def emit(self, record: logging.LogRecord) -> None:
        others = [handler for handler in (*logger.handlers, *logging.root.handlers) if handler is not self]
        if not others and sys.stderr is not None:
            print(f"vs-interp: {record.getMessage()}", file=sys.stderr)


if not any(isinstance(handler, _Fallback) for handler in logger.handlers):
    logger.addHandler(_Fallback())


def speak(*, quiet: bool = False) -> None:
    """Set the level for the command line: progress messages too, or with ``quiet`` errors only."""
    logger.setLevel(logging.ERROR if quiet else logging.INFO)
