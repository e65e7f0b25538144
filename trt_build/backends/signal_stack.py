"""A workaround for OpenVINO 2026.4, which replaces the alternate signal stack of the thread that compiles a model.

``compile_model`` sets an alternate signal stack of its own (sigaltstack(2)), and destroying the compiled model restores
the one that was there before.  If two models are destroyed in the order of their creation, the second restores the
first one's stack, whose memory has been freed, and the next signal (a Ctrl-C, say) is a segmentation fault.
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
    """Restore this thread's signal stack after the ``with`` block; does nothing on systems other than Linux."""
    if sys.platform != "linux":
        yield
        return
    before = signal_stack()
    try:
        yield
    finally:
        ctypes.CDLL(None).sigaltstack(ctypes.byref(before), None)
