"""Pausing a run by a file or a signal, to free the GPU for other work for a while."""

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
"""Seconds between two checks while paused."""


class Pause:
    """Watches for a file called ``PAUSE`` in the run's folder, and for SIGUSR1 if the system has it.

    The run pauses while the file exists, or from one signal to the next.  SIGTERM and Ctrl-C stop it after the current
    step; a second Ctrl-C interrupts it.  Signals are handled from :meth:`listen` to the end of the context; before
    that, while data sets are opened, they end the process at once.
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
        """Handle signals from now on."""
        handlers = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop}
        if hasattr(signal, "SIGUSR1"):  # not on Windows
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
        """Whether the run should pause now."""
        return self._signalled or self._file.exists()

    def announce(self, step: int) -> None:
        """Say that the run has paused, and how to continue it."""
        how = f"remove {self._file}" if self._file.exists() else "send SIGUSR1 again"
        logger.info("paused after step %d: a checkpoint is written and memory is free; %s to continue", step, how)

    def wait(self, processes: Processes) -> None:
        """Return when the run should continue or stop, in all processes at once, whichever got the signal."""
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
    """Make a data worker ignore SIGTERM and Ctrl-C, which terminals, systemd and Slurm send to the whole group.

    The worker ends when the training process has taken its last batch, or is gone.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
