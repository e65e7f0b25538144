"""How far a conversion is: a bar on a terminal, a line now and then in a log."""

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
    """Show how many of ``total`` frames are done on standard error; call what is handed out after each frame."""
    console = Console(stderr=True)
    if quiet:
        yield lambda: None
    elif console.is_terminal:
        columns = BarColumn(), MofNCompleteColumn(), "frames", _Speed(), TimeRemainingColumn(), "left"
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=total)
            yield lambda: progress.advance(task)
    else:
        yield _Log(total, console)


@contextmanager
def working_on(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Show a spinner beside ``what`` on a terminal, the line alone elsewhere."""
    console = Console(stderr=True, quiet=quiet)
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(what, highlight=False, soft_wrap=True)
        yield


@contextmanager
def part_done(what: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show ``what`` and how much of it is done; call what is handed out with the part, of 1.

    Nothing but the name is shown before the first such call.
    """
    console = Console(stderr=True, quiet=quiet)
    if console.is_terminal:
        columns = "{task.description}", BarColumn(), TaskProgressColumn()
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield lambda part: progress.update(task, total=1, completed=part)
    else:
        console.print(what, highlight=False, soft_wrap=True)
        yield _Now(console, lambda part: f"{what}: {part:.0%}")


@contextmanager
def bytes_read(what: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show ``what`` and how much of it has come, which may be any amount; call what is handed out with the bytes."""
    console = Console(stderr=True, quiet=quiet)
    if console.is_terminal:
        with Progress("{task.description}", DownloadColumn(), console=console, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield lambda count: progress.update(task, completed=count)
    else:
        console.print(what, highlight=False, soft_wrap=True)
        yield _Now(console, lambda count: f"{what}: {count / 1e6:.0f} MB")


class _Now:
    """Prints a plain line when the last one is :data:`INTERVAL` seconds old."""

    def __init__(self, console: Console, line: Callable[[float], str]) -> None:
        self._console, self._line, self._said = console, line, time.monotonic()

    def __call__(self, amount: float) -> None:
        now = time.monotonic()
        if now - self._said >= INTERVAL:
            self._said = now
            self._console.print(self._line(amount), highlight=False, soft_wrap=True)


class _Speed(ProgressColumn):
    """Frames a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("  - fps" if speed is None else f"{speed:5.1f} fps")


class _Log:
    """Prints a plain line when the last one is :data:`INTERVAL` seconds old."""

    def __init__(self, total: int, console: Console) -> None:
        self._total, self._console, self._done = total, console, 0
        self._start = self._said = time.monotonic()

    def __call__(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._said < INTERVAL:
            return
        self._said = now
        speed = self._done / (now - self._start)
        left = clock((self._total - self._done) / speed)
        self._console.print(f"{self._done}/{self._total} frames, {speed:.1f} fps, {left} left", highlight=False)


def clock(seconds: float) -> str:
    """Return a time as people write it: 1:02:03."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
