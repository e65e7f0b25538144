"""The stack that signals are handled on, which OpenVINO 2026.4 takes from the thread that compiles a model.

``compile_model`` sets an alternate signal stack of its own (sigaltstack(2)), and a compiled model that goes puts back
the one that it found.  Where two go in the order in which they came, the first one's stays, whose memory is gone; the
next signal, a Ctrl-C say, then ends the process with a segmentation fault.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class SignalStack(ctypes.Structure):
    """``stack_t`` of Linux."""

    _fields_ = (("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def signal_stack() -> SignalStack:
    """Return this thread's alternate signal stack (Linux)."""
    stack = SignalStack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return stack


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Give this thread its own signal stack back afterwards; does nothing on systems other than Linux."""
    if sys.platform != "linux":
        yield
        return
    before = signal_stack()
    try:
        yield
    finally:
        ctypes.CDLL(None).sigaltstack(ctypes.byref(before), None)
