"""What differs between operating systems: processor cores, memory, the processor's name, quoting of words."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from pathlib import Path


def cores() -> int:
    """Return how many processor cores this process may use: on Windows and macOS, which do not say, all of them."""
    if sys.platform == "linux" and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_cores(place: int, count: int) -> None:
    """Pin this process to its share of the cores, as process ``place`` of ``count``; does nothing outside Linux."""
    if sys.platform == "linux" and hasattr(os, "sched_setaffinity"):
        available = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, available[place % len(available) :: count])


def free_memory() -> int | None:
    """Return the bytes of memory that are available on this machine; ``None`` outside Linux."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    values = dict(line.split(":") for line in lines)
    return int(values["MemAvailable"].split()[0]) * 1024


def resident_memory() -> int | None:
    """Return the resident memory of this process in bytes; ``None`` outside Linux."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), None)


def peak_memory() -> int | None:
    """Return the peak resident memory of this process in bytes; ``None`` on Windows."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def processor() -> str:
    """Return the processor's model name if the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def split_words(text: str) -> list[str]:
    r"""Split a command line into words as a POSIX shell does; on Windows ``\`` separates folders and escapes nothing.

    Raises :class:`ValueError` if a quotation is not closed.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    if sys.platform == "win32":
        lexer.escape = ""
    return list(lexer)
