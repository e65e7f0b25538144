"""Progress of a job: bars for the job and its workers on a terminal, a line from time to time in a log."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from vs_interp.interrupt import exit_message

from .progress import INTERVAL, clock

if TYPE_CHECKING:
    from vs_interp.jobs.status import Status

MOST_LINES = 16
"""At most this many workers get a bar; a cluster may have a hundred."""


class JobProgress:
    """Shows the progress of a job: a :class:`vs_interp.jobs.status.Listener`."""

    def __init__(self, folder: Path, *, quiet: bool) -> None:
        self._folder = folder
        self._console = Console(stderr=True, quiet=quiet)
        self._stack = ExitStack()
        self._bars: _Bars | None = None
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._stack.enter_context(
            exit_message(f"interrupted; finished chunks are kept in {self._folder}: run the same command to resume")
        )
        if self._console.is_terminal and not self._console.quiet:
            self._bars = self._stack.enter_context(_Bars(self._console))
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)

    def shows(self, status: Status) -> None:
        """Show the progress of the job."""
        if self._bars is not None:
            self._bars.show(status)
        elif time.monotonic() - self._last_line >= INTERVAL:
            self._last_line = time.monotonic()
            many = f", {len(status.workers)} workers" if len(status.workers) > 1 else ""
            self.says(f"{status.frames}/{status.of_frames} frames, {speed(status)}{many}")

    def joins(self) -> None:
        """Show that all chunks are made and are being joined."""
        self.says("joining the chunks")

    def says(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(line, highlight=False, soft_wrap=True)


class _Bars:
    """A bar for the job, and one for each worker if there are several."""

    def __init__(self, console: Console) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[more]}")
        self._progress = Progress(*columns, console=console)
        self._all = self._progress.add_task("frames", total=None, more="")
        self._workers: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._progress.stop()

    def show(self, status: Status) -> None:
        self._progress.update(self._all, total=status.of_frames, completed=status.frames, more=speed(status))
        shown = status.workers[:MOST_LINES] if len(status.workers) > 1 or self._workers else ()
        for gone in self._workers.keys() - {working.worker for working in shown}:
            self._progress.remove_task(self._workers.pop(gone))
        for working in shown:
            if working.worker not in self._workers:
                self._workers[working.worker] = self._progress.add_task(working.worker, total=None, more="")
            self._progress.update(
                self._workers[working.worker], total=working.of_frames, completed=working.frames,
                more=f"chunk {working.chunk}",
            )  # fmt: skip


def speed(status: Status) -> str:
    """Return the frames per second and the time left, if they are known."""
    if status.fps is None or status.seconds_left is None:
        return "starting"
    return f"{status.fps:.1f} fps, {clock(status.seconds_left)} left"
