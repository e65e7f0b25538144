"""How the process ends on Ctrl-C and SIGTERM: soon, without a crash, and with nothing half-written.

Python hears a signal only between two of its own instructions.  While frames are made the main thread waits inside of
libraries most of the time, and to tear VapourSynth down while its threads work ends the process with SIGSEGV.  So a
thread listens: the first signal ends the work by an exception as usual; where that takes longer than :data:`PATIENCE`
seconds, or at the third press, what is half-written is undone and the process ends as it is, without tearing down.
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

PATIENCE = 1.0
"""Seconds that the work is given to end by itself."""

PRESSES = 3
"""So many signals end the process at once."""

EXIT_CODES = {
    getattr(signal, name): code
    for name, code in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129))
    if hasattr(signal, name)
}
"""What a shell takes for "ended by that signal"."""

SHOW_CURSOR = b"\x1b[?25h\r\n"
"""What a terminal needs after a progress bar that did not come to its end."""

_last_words = ["interrupted, nothing was written"]
_undo: list[Callable[[], object]] = []
_heard: list[int] = []
_announced = threading.Lock()


@contextmanager
def undone(undo: Callable[[], object]) -> Iterator[None]:
    """Call ``undo`` should the process have to end in the middle of the block; not otherwise.

    It is called from another thread, and may be called while the block ends.
    """
    _undo.append(undo)
    try:
        yield
    finally:
        _undo.remove(undo)


@contextmanager
def last_words(words: str) -> Iterator[None]:
    """Say these words should the process have to end in the middle of the block."""
    _last_words.append(words)
    try:
        yield
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt | SystemExit) or not _heard:
            _last_words.remove(words)
        raise  # they are still said when this error ends the process
    else:
        _last_words.remove(words)


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Within the block (of the main thread) signals end the process, with one of :data:`EXIT_CODES`.

    Signals that are ignored stay so, and code that sets a handler of its own has its way as long as that is set.
    """
    _heard.clear()
    if _announced.locked():
        _announced.release()
    listening, telling = socket.socketpair()
    telling.setblocking(False)
    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _raise)
    hooks_before = sys.excepthook, sys.unraisablehook
    sys.excepthook, sys.unraisablehook = _uncaught, _unraisable
    told_before = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(listening,), name="signals", daemon=True).start()
    try:
        yield
    finally:
        if _heard:
            sys.stdout.flush()
            _end(_heard[0])
        signal.set_wakeup_fd(told_before)
        sys.excepthook, sys.unraisablehook = hooks_before
        for number, handler in before.items():
            signal.signal(number, handler)
        telling.close()


def heard() -> bool:
    """Whether a signal is ending the process."""
    return bool(_heard)


def raise_where_heard() -> None:
    """Raise :class:`KeyboardInterrupt` where a signal is ending the process: a library may have swallowed the first.

    To be called before what was made is taken for whole.
    """
    if heard():
        raise KeyboardInterrupt


def _raise(number: int, frame: FrameType | None) -> None:
    """Leave through every ``finally`` at the first signal; the others find that under way.

    By the same exception for all: Cython ends the process at once where a callback raises :class:`SystemExit`.
    """
    if not _heard:
        _heard.append(number)
        _announce()
        raise KeyboardInterrupt


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Say nothing of the exception that ends the work where a callback cannot hand it on: Cython reports it here."""
    if not (heard() and issubclass(kind, KeyboardInterrupt)):
        sys.__excepthook__(kind, error, traceback)


def _unraisable(told: sys.UnraisableHookArgs) -> None:
    """Say nothing of it here, where Cython and Python itself report it."""
    if not (heard() and issubclass(told.exc_type, KeyboardInterrupt)):
        sys.__unraisablehook__(told)


def _listen(listening: socket.socket) -> None:
    """Count the signals, whose numbers arrive as bytes, and end the process when it is time."""
    first, presses, end = 0, 0, 0.0
    with listening:
        while True:
            listening.settimeout(max(end - time.monotonic(), 0.001) if first else None)
            try:
                told = listening.recv(1)
            except TimeoutError:
                _end(first)
            if not told:
                return
            if told[0] not in EXIT_CODES or signal.getsignal(told[0]) is not _raise:
                continue
            presses += 1
            if not first:
                first, end = told[0], time.monotonic() + PATIENCE
                _announce()
            if presses >= PRESSES:
                _end(first)


def _end(number: int) -> None:
    """End the process, whatever its threads do."""
    for undo in reversed(_undo):
        with contextlib.suppress(Exception):  # of what is left to undo, as much as can be
            undo()
    if os.isatty(2):
        os.write(2, SHOW_CURSOR)
    _say(_last_words[-1])
    os._exit(EXIT_CODES[signal.Signals(number)])


def _announce() -> None:
    """Say that the work is ending; once, by the thread that comes first."""
    if _announced.acquire(blocking=False):
        _say("stopping …")


def _say(message: str) -> None:
    """Write a line past Python's streams, which the main thread may be holding."""
    with contextlib.suppress(OSError):
        os.write(2, f"vs-interp: {message}\n".encode())
