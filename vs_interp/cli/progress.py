"""Progress on standard error: a bar on a terminal, a line from time to time in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TimeRemainingColumn,
)  # fmt: skip
from rich.text import Text

INTERVAL = 10.0
"""Seconds between two lines in a log."""


@contextmanager
def frames_done(total: int, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show how many of ``total`` frames are done; yields a function to call after each frame."""
    console = Console(stderr=True)
    if quiet:
        yield lambda: None
    elif console.is_terminal:
        columns = BarColumn(), MofNCompleteColumn(), "frames", _Speed(), TimeRemainingColumn(), "left"
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=total)
            yield lambda: progress.advance(task)
    else:
        yield _FrameLines(total, console)


@contextmanager
def working_on(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Show ``what`` is being done, with a spinner on a terminal."""
    console = Console(stderr=True, quiet=quiet)
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(what, highlight=False, soft_wrap=True)
        yield


@contextmanager
def part_done(what: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show ``what`` is being done and how much of it; yields a function to call with the share done, from 0 to 1."""
    console = Console(stderr=True, quiet=quiet)
    if console.is_terminal:
        columns = "{task.description}", BarColumn(), TaskProgressColumn()
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield lambda part: progress.update(task, total=1, completed=part)
    else:
        console.print(what, highlight=False, soft_wrap=True)
        yield _PlainLines(console, lambda part: f"{what}: {part:.0%}")


@contextmanager
def bytes_read(what: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show ``what`` is being read, of unknown size; yields a function to call with the number of bytes so far."""
    console = Console(stderr=True, quiet=quiet)
    if console.is_terminal:
        with Progress("{task.description}", DownloadColumn(), console=console, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield lambda count: progress.update(task, completed=count)
    else:
        console.print(what, highlight=False, soft_wrap=True)
        yield _PlainLines(console, lambda count: f"{what}: {count / 1e6:.0f} MB")


class _PlainLines:
    """Prints a line about the amount done, at most every :data:`INTERVAL` seconds."""

    def __init__(self, console: Console, line: Callable[[float], str]) -> None:
        self._console, self._line, self._last = console, line, time.monotonic()

    def __call__(self, amount: float) -> None:
        now = time.monotonic()
        if now - self._last >= INTERVAL:
            self._last = now
            self._console.print(self._line(amount), highlight=False, soft_wrap=True)


class _Speed(ProgressColumn):
    """Frames per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("  - fps" if speed is None else f"{speed:5.1f} fps")


class _FrameLines:
    """Prints a line about the frames done, at most every :data:`INTERVAL` seconds."""

    def __init__(self, total: int, console: Console) -> None:
        self._total, self._done, self._start = total, 0, time.monotonic()
        self._lines = _PlainLines(console, self._line)

    def __call__(self) -> None:
        self._done += 1
        self._lines(self._done)

    def _line(self, done: float) -> str:
        speed = done / (time.monotonic() - self._start)
        return f"{self._done}/{self._total} frames, {speed:.1f} fps, {clock((self._total - done) / speed)} left"


def clock(seconds: float) -> str:
    """Format a duration as hours, minutes and seconds: 1:02:03."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
