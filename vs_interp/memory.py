"""Workarounds for a heap that grows with every frame: glibc before 2.39 does not reuse freed planes.

VapourSynth allocates planes with ``posix_memalign``.  To align such a block, glibc cuts off its ends and gives them to
small objects; the freed block is then too short for the next plane of the same size (glibc bugs 14581 and 30723).  The
heap grows by 0.2 MB per output frame of 320×180, to more than 1 GB.  With glibc's caches of small blocks switched off,
the ends are merged again at once, planes are reused, and the heap does not grow.  Since this can be chosen only before
a process starts, the command line restarts itself.  In scripts, node caches of a fixed size prevent most of the growth
(:mod:`vs_interp.films.caches`), and :func:`hold_memory` bounds the rest.

A fixed mmap threshold would work as well, but costs half as much processor time again, as every plane gets new pages.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache

from vs_interp.host import resident_memory

FIXED_IN = (2, 39)
"""The first version of glibc that merges the ends by itself."""

VARIABLE = "GLIBC_TUNABLES"
TUNABLES = "glibc.malloc.arena_max=1:glibc.malloc.mxfast=0:glibc.malloc.tcache_count=0"
"""One heap for all threads, and no caches of small blocks."""

ARENA_MAX = -8
"""``mallopt``'s number for the number of heaps."""

INTERVAL = 0.25
"""Seconds between two checks."""

GROWTH = 16 << 20
"""Bytes by which the process may grow before freed memory is given back."""


def restart_with_tuned_malloc() -> None:
    """Restart this command, under the same process number, with malloc settings that keep the heap from growing.

    Does nothing with a newer glibc, another C library, or if ``GLIBC_TUNABLES`` chooses something.  To be called before
    any work.
    """
    if _grows():
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, VARIABLE: TUNABLES})


def _grows() -> bool:
    """Whether glibc is old and nobody chose its settings; an empty ``GLIBC_TUNABLES`` chooses nothing."""
    return _glibc() < FIXED_IN and not os.environ.get(VARIABLE)


def _glibc() -> tuple[int, ...]:
    """Return the version of glibc; with another C library, one later than all versions."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return tuple(map(int, version.split("."))) if name == "glibc" else (sys.maxsize,)
    except (AttributeError, ValueError, OSError):
        return (sys.maxsize,)


@cache
def hold_memory() -> None:
    """Keep this process from growing, as far as that is possible after its start; later calls do nothing.

    Where glibc is old, threads share one heap from now on, unless ``GLIBC_TUNABLES`` chooses something: what one thread
    frees, the others reuse, which takes a fifth less processor time than giving back the freed planes of many heaps
    (``benchmarks/RESULTS.md``).  A thread gives freed memory back to the system whenever the process has grown.  Does
    nothing without glibc.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "malloc_trim") or resident_memory() is None:
        return
    if _grows():
        libc.mallopt(ARENA_MAX, 1)
    threading.Thread(target=_give_back, args=(libc.malloc_trim,), name="memory", daemon=True).start()


def _give_back(trim: Callable[[int], int]) -> None:
    after_trim = resident_memory() or 0
    while True:
        time.sleep(INTERVAL)
        if (resident_memory() or 0) > after_trim + GROWTH:
            trim(0)
            after_trim = resident_memory() or 0
