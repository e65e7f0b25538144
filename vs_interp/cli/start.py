"""Entry point of the command ``vs-interp``: Ctrl-C ends it without a traceback even while modules are imported."""

from __future__ import annotations

import os
import signal
import sys

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}

LONG = ("convert", "worker")
"""Commands that process so many frames that their memory must not grow with each."""


def start() -> None:
    """Import the command line and run it."""
    for number, code in CODES.items():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_, code=code: os._exit(code))
    from vs_interp.memory import restart_with_tuned_malloc

    if sys.argv[1:2] and sys.argv[1] in LONG and hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, CODES)  # until the restarted process has its handlers
        restart_with_tuned_malloc()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CODES)
    from .main import main

    main()
