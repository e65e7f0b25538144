"""What differs from system to system: processor cores, memory, the processor's name, how words are quoted."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from pathlib import Path


def cores() -> int:
    """Return how many processor cores this process may use; Windows and macOS do not say, and count all of them."""
    if sys.platform == "linux" and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_cores(place: int, count: int) -> None:
    """Keep this process to its part of the cores, as one of ``count`` processes; only Linux can be told."""
    if sys.platform == "linux" and hasattr(os, "sched_setaffinity"):
        available = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, available[place % len(available) :: count])


def free_memory() -> int | None:
    """Return the bytes that this machine can still give out; ``None`` where it does not say, as Linux alone does."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    values = dict(line.split(":") for line in lines)
    return int(values["MemAvailable"].split()[0]) * 1024


def resident_memory() -> int | None:
    """Return the bytes that this process holds now; ``None`` where the system does not say, as Linux alone does."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), None)


def peak_memory() -> int | None:
    """Return the most bytes that this process has held at once; ``None`` on Windows."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def processor() -> str:
    """Return the processor's name where the system gives it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def split_words(text: str) -> list[str]:
    r"""Return the words of a command line, quoted as a shell has them; on Windows ``\`` is not an escape but a path's.

    Raises :class:`ValueError` where a quotation does not end.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    if sys.platform == "win32":
        lexer.escape = ""
    return list(lexer)
