"""Memory that frames leave behind: glibc before 2.39 keeps it, and finds no use for it.

VapourSynth asks for its planes with ``posix_memalign``.  glibc cuts the ends off a block that is aligned so, hands them
to small objects, and can then never make the block whole again, which is too short for the next plane of the same size
(its bugs 14581 and 30723): the heap grows by 0.2 MB an output frame of 320×180, to more than 1 GB.  Without its caches
of small blocks the ends are joined again at once, planes are used over and over, and the heap stays as it is.  That can
be chosen only before a process begins, so the command line begins again.  Scripts get :func:`give_back_freed_memory`.

A fixed mmap threshold would do it as well, and costs half as much processor time again: every plane's pages are new.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from functools import cache

from vs_interp.host import resident_memory

MENDED = (2, 39)
"""The version of glibc that joins the ends by itself."""

VARIABLE = "GLIBC_TUNABLES"
TUNABLES = "glibc.malloc.arena_max=1:glibc.malloc.mxfast=0:glibc.malloc.tcache_count=0"
"""One heap for all threads, and no caches of small blocks."""

INTERVAL = 0.25
"""Seconds between two looks."""

GROWTH = 16 << 20
"""Bytes by which the process may have grown since the last time, before what is free is given back."""


def begin_again_with_a_lasting_heap() -> None:
    """Start this process's own command again, under the same number, where its heap would grow; else do nothing.

    Only where it is glibc, and nobody has chosen how that works.  To be called before anything is begun.
    """
    if _glibc() < MENDED and VARIABLE not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, VARIABLE: TUNABLES})


def _glibc() -> tuple[int, ...]:
    """Return the version of glibc; one later than all where there is none."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return tuple(map(int, version.split("."))) if name == "glibc" else (sys.maxsize,)
    except (AttributeError, ValueError, OSError):
        return (sys.maxsize,)


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
