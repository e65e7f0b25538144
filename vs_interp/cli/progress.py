"""How far a conversion is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

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

from vs_interp.interrupt import last_words

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


class JobProgress:
    """Shows how far a job is: a :class:`vs_interp.jobs.run.Listener`."""

    def __init__(self, folder: Path, *, quiet: bool) -> None:
        self._folder, self._quiet = folder, quiet
        self._stack = ExitStack()
        self._bar = self._stack.enter_context(ExitStack())
        self._console = Console(stderr=True, quiet=quiet)
        self._advance: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._stack.enter_context(
            last_words(f"interrupted; what is finished stays in {self._folder}: run the same command again to go on")
        )
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)

    def begins(self, kept: int, frames: int) -> None:
        """Say what an earlier run left, and show the rest."""
        if kept:
            self._say(f"{kept} of {frames} frames were made before and are kept in {self._folder}")
        self._advance = self._bar.enter_context(frames_done(frames - kept, quiet=self._quiet))

    def made(self, frames: int) -> None:
        """Show that frames were made."""
        for _ in range(frames):
            self._advance()

    def joins(self) -> None:
        """Say that all frames are made."""
        self._bar.close()
        self._say("joining the chunks")

    def says(self, line: str) -> None:
        """Show a line about the workers."""
        self._say(f"vs-interp: {line}")

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


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
        left = round((self._total - self._done) / speed)
        clock = f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
        self._console.print(f"{self._done}/{self._total} frames, {speed:.1f} fps, {clock} left", highlight=False)
