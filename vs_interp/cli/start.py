"""The command ``vs-interp`` from its very beginning: Ctrl-C is no traceback while it is being imported either."""

from __future__ import annotations

import os
import signal


def start() -> None:
    """Import the command line and run it."""
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_, code=code: os._exit(code))
    from .main import main

    main()
