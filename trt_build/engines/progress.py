"""Progress of a build: the runtime's nested phases as one fraction, shown as a bar on a terminal."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from vs_interp.log import logger

Progress = Callable[[str, float], None]
"""Called with a plan's name and the fraction of it that is done, which never falls and is 1 only once it is built."""


def silent(name: str, done: float) -> None:
    """A :data:`Progress` that shows nothing."""


@contextlib.contextmanager
def bar() -> Iterator[Progress]:
    """Show a bar on a terminal; if standard error is piped, log one line for each finished plan; nothing if quiet."""
    if not sys.stderr.isatty() or not logger.isEnabledFor(logging.WARNING):
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("building {task.description}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(name: str, done: float) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=1.0)
            bars.update(tasks[name], completed=done)

        yield show


def _line(name: str, done: float) -> None:
    if done >= 1:
        logger.info("built %s", name)


class Phases:
    """Nested phases, each of which makes up one step of its parent; all steps of a phase count the same."""

    def __init__(self) -> None:
        self._phases: dict[str, tuple[str | None, int, int]] = {}
        self._done = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Begin a phase of ``steps`` steps."""
        self._phases[name] = (parent, max(steps, 1), 0)

    def step(self, name: str, step: int) -> float:
        """Note that a phase has done a step, counted from 0, and return the fraction of the build that is done."""
        if name in self._phases:
            parent, steps, _ = self._phases[name]
            self._phases[name] = (parent, steps, step + 1)
        self._done = max(self._done, min(self._fraction(name), 0.99))
        return self._done

    def finish(self, name: str) -> None:
        """End a phase."""
        self._phases.pop(name, None)

    def _fraction(self, name: str) -> float:
        inner = 0.0
        current: str | None = name
        while current in self._phases:
            parent, steps, done = self._phases[current]
            inner = (done + inner) / steps
            current = parent
        return inner


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[threading.Event]:
    """Set the event on Ctrl-C, and raise :class:`KeyboardInterrupt` only at the end.

    An exception in a callback of the runtime would abort the process.  A program that runs scripts and handles Ctrl-C
    itself, as mpv and ffmpeg do, goes on doing so.
    """
    pressed = threading.Event()
    foreign = signal.getsignal(signal.SIGINT) is None  # not set by Python, which could not set it again
    if foreign or threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    previous = signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, previous)
    if pressed.is_set():
        raise KeyboardInterrupt


def monitor(runtime: ModuleType, plan: str, progress: Progress, stop: threading.Event) -> Any:
    """Return a progress monitor of the runtime's own class; it ends the build at the next step once ``stop`` is set."""
    phases = Phases()

    class Monitor(runtime.IProgressMonitor):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            runtime.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress(plan, phases.step(phase_name, step))
            return not stop.is_set()

        def phase_finish(self, phase_name: str) -> None:
            phases.finish(phase_name)

    return Monitor()
