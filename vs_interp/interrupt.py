"""How the process ends on Ctrl-C and SIGTERM: promptly, without a crash, and with nothing half-written.

Python handles signals only between two of its own instructions, but while frames are rendered the main thread mostly
waits inside libraries; and unloading VapourSynth while its threads still work ends in SIGSEGV.  So a thread watches the
signals.  The first one raises an exception in the main thread as usual.  If the work then takes more than
:data:`GRACE_PERIOD` seconds to end, or at the third signal, the process is forced to exit: registered callbacks remove
half-written files, and nothing is torn down.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

GRACE_PERIOD = 1.0
"""Seconds that the work has to end by itself."""

FORCING_SIGNALS = 3
"""Number of signals after which the process ends at once."""

EXIT_CODES = {
    getattr(signal, name): code
    for name, code in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129))
    if hasattr(signal, name)
}
"""The exit codes that a shell gives to processes ended by these signals."""

SHOW_CURSOR = b"\x1b[?25h\r\n"
"""What a terminal needs after an unfinished progress bar, which hides the cursor."""

_exit_messages = ["interrupted, nothing was written"]
_cleanups: list[Callable[[], object]] = []
_received: list[int] = []
_uninterrupted: list[int] = []
"""The threads that are inside :func:`uninterrupted`."""
_announced = threading.Lock()


@contextmanager
def on_forced_exit(cleanup: Callable[[], object]) -> Iterator[None]:
    """Call ``cleanup`` if the process is forced to exit inside the block, and only then.

    The call comes from another thread, and may come while the block is ending.
    """
    _cleanups.append(cleanup)
    try:
        yield
    finally:
        _cleanups.remove(cleanup)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Postpone the exception of a signal, and a forced exit, to the end of the block.

    For steps that must not be separated, such as starting a process and registering what ends it.  Keep them short.
    """
    before = interrupted()
    thread = threading.get_ident()
    _uninterrupted.append(thread)
    try:
        yield
    finally:
        _uninterrupted.remove(thread)
    if not before:
        raise_if_interrupted()


@contextmanager
def exit_message(message: str) -> Iterator[None]:
    """Print ``message`` if a signal ends the process inside the block."""
    _exit_messages.append(message)
    try:
        yield
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt | SystemExit) or not _received:
            _exit_messages.remove(message)
        raise  # otherwise the message is kept, and printed when this exception has ended the process
    else:
        _exit_messages.remove(message)


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """End the process on a signal inside the block, with one of :data:`EXIT_CODES`.  For the main thread.

    Signals that were ignored stay ignored, and a handler that other code sets in the block takes precedence.
    """
    _received.clear()
    if _announced.locked():
        _announced.release()
    receiving, sending = socket.socketpair()
    sending.setblocking(False)
    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    hooks_before = sys.excepthook, sys.unraisablehook
    sys.excepthook, sys.unraisablehook = _excepthook, _unraisablehook
    descriptor_before = signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(receiving,), name="signals", daemon=True).start()
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _raise)
        yield
    finally:
        if _received:
            sys.stdout.flush()
            _exit(_received[0])
        signal.set_wakeup_fd(descriptor_before)
        sys.excepthook, sys.unraisablehook = hooks_before
        for number, handler in before.items():
            signal.signal(number, handler)
        sending.close()


def interrupted() -> bool:
    """Whether a signal is ending the process."""
    return bool(_received)


def raise_if_interrupted() -> None:
    """Raise :class:`KeyboardInterrupt` if a signal is ending the process.

    To be called before a result is accepted as complete: a library may have swallowed the exception of the signal.
    """
    if interrupted():
        raise KeyboardInterrupt


def _raise(number: int, frame: FrameType | None) -> None:
    """Handle the first signal: unwind the main thread through every ``finally``.

    All signals raise the same exception, since Cython ends the process at once if a callback raises
    :class:`SystemExit`.
    """
    if not _received:
        _received.append(number)
        _announce()
        if threading.get_ident() not in _uninterrupted:
            raise KeyboardInterrupt


def _excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print no traceback of our own exception, which Cython reports here if a callback cannot propagate it."""
    if not (interrupted() and issubclass(kind, KeyboardInterrupt)):
        sys.__excepthook__(kind, error, traceback)


def _unraisablehook(unraisable: sys.UnraisableHookArgs) -> None:
    """Likewise for exceptions that Cython or Python reports as unraisable."""
    if not (interrupted() and issubclass(unraisable.exc_type, KeyboardInterrupt)):
        sys.__unraisablehook__(unraisable)


def _watch(receiving: socket.socket) -> None:
    """Count the signals, whose numbers arrive as bytes, and force the exit when it is due."""
    first, signals, deadline = 0, 0, 0.0
    with receiving:
        while True:
            receiving.settimeout(max(deadline - time.monotonic(), 0.001) if first else None)
            try:
                numbers = receiving.recv(1)
            except TimeoutError:
                _exit(first)
            if not numbers:
                return
            if numbers[0] not in EXIT_CODES or signal.getsignal(numbers[0]) is not _raise:
                continue
            signals += 1
            if not first:
                first, deadline = numbers[0], time.monotonic() + GRACE_PERIOD
                _announce()
            if signals >= FORCING_SIGNALS:
                _exit(first)


def _exit(number: int) -> None:
    """Clean up and end the process, whatever its threads are doing."""
    deadline = time.monotonic() + GRACE_PERIOD
    while _uninterrupted and time.monotonic() < deadline:
        time.sleep(0.005)
    for cleanup in reversed(_cleanups):
        with contextlib.suppress(Exception):  # one that fails must not keep the others from running
            cleanup()
    if os.isatty(2):
        os.write(2, SHOW_CURSOR)
    _print(_exit_messages[-1])
    os._exit(EXIT_CODES[signal.Signals(number)])


def _announce() -> None:
    """Print once that the work is ending, from whichever thread comes first."""
    if _announced.acquire(blocking=False):
        _print("stopping …")


def _print(message: str) -> None:
    """Write a line to standard error directly: the main thread may hold the lock of Python's stream."""
    with contextlib.suppress(OSError):
        os.write(2, f"vs-interp: {message}\n".encode())
