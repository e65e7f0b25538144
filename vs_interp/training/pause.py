"""Pausing a run: a file or a signal, so that other work may have the GPU for a while."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from vs_interp.log import logger

from .processes import Processes

PAUSE_FILE = "PAUSE"
INTERVAL = 0.2
"""Seconds between two looks while paused."""


class Pause:
    """Listens for a file called ``PAUSE`` in the run's folder, and for SIGUSR1 where the system has it.

    From :meth:`listen` to the end of the context; before, while data sets are opened, signals end the process at once.
    The file pauses for as long as it is there; the signal pauses, and the next one goes on.  SIGTERM and Ctrl-C ask to
    stop after the step; a second Ctrl-C interrupts.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / PAUSE_FILE
        self._signalled = False
        self._before: dict[int, Any] = {}
        self.stopped: int | None = None
        """The signal that asked to stop."""

    def __enter__(self) -> Pause:
        return self

    def listen(self) -> None:
        """Hear signals from now on."""
        handlers = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop}
        if hasattr(signal, "SIGUSR1"):  # Windows has none
            handlers[signal.SIGUSR1] = self._toggle
        if not self._before:
            self._before = {number: signal.signal(number, handler) for number, handler in handlers.items()}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def wanted(self) -> bool:
        """Whether the run should rest now."""
        return self._signalled or self._file.exists()

    def announce(self, step: int) -> None:
        """Say that the run pauses, and how it goes on."""
        again = f"{self._file} is removed" if self._file.exists() else "SIGUSR1 comes again"
        logger.info("paused after step %d, with a checkpoint and nothing left in memory: goes on when %s", step, again)

    def wait(self, processes: Processes) -> None:
        """Return when the run should go on, or stop: all processes at once, whichever of them was told."""
        while True:
            resting, stopping = processes.agree(self.wanted, self.stopped is not None)
            if stopping or not resting:
                return
            time.sleep(INTERVAL)

    def _toggle(self, number: int, frame: FrameType | None) -> None:
        self._signalled = not self._signalled

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = number
        signal.signal(signal.SIGINT, signal.default_int_handler)


def leave_signals_to_the_trainer(worker: int) -> None:
    """Let a data worker ignore SIGTERM and Ctrl-C: terminals, systemd and Slurm send them to the whole group.

    The worker ends when the process that trains has taken its last batch, or is gone.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
