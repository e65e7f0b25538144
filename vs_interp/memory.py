"""Memory that frames leave behind: glibc keeps it, in parts too scattered to be of use to larger frames.

A clip that is served grows by 0.2 MB an output frame of 320×180 so, to more than 1 GB.  ``malloc_trim`` gives back what
is free.  A fixed mmap threshold would do it as well, and costs twice the processor time a frame: every frame's pages
would be new ones.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from functools import cache

from vs_interp.host import resident_memory

INTERVAL = 0.25
"""Seconds between two looks."""

GROWTH = 16 << 20
"""Bytes by which the process may have grown since the last time, before what is free is given back."""


@cache
def give_back_freed_memory() -> None:
    """From now on, give freed memory back to the system while this process works.

    Once in a process is enough; does nothing where there is no glibc.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim") and resident_memory() is not None:
        threading.Thread(target=_watch, name="memory", daemon=True).start()


def _watch() -> None:
    trim, least = ctypes.CDLL(None).malloc_trim, resident_memory() or 0
    while True:
        time.sleep(INTERVAL)
        if (resident_memory() or 0) > least + GROWTH:
            trim(0)
            least = resident_memory() or 0
