"""One logger for each runtime: TensorRT uses the first logger that it is given for the life of the process."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

Listener = Callable[[str, str], None]
"""Called with each message: its severity, such as ``ERROR``, and its text."""


class RuntimeLog:
    """Passes a runtime's messages on to the callers that they are about.

    A message goes to the listeners of the thread it comes from; from a thread of the runtime's own, to all.  Errors
    that nobody listens to go to :mod:`logging`.
    """

    def __init__(self, trt: ModuleType) -> None:
        self._listeners: list[tuple[int, Listener]] = []
        log = self

        class Logger(trt.ILogger):  # type: ignore[misc,name-defined]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                log._pass_on(severity.name, message)

        self.logger = Logger()
        """The logger to give to the runtime's objects."""

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call ``listener`` with the runtime's messages during a ``with`` block."""
        entry = threading.get_ident(), listener
        self._listeners.append(entry)
        try:
            yield
        finally:
            self._listeners.remove(entry)

    @contextmanager
    def errors(self) -> Iterator[list[str]]:
        """Collect the texts of the errors during a ``with`` block."""
        found: list[str] = []
        with self.listening(lambda severity, text: found.append(text) if "ERROR" in severity else None):
            yield found

    def _pass_on(self, severity: str, text: str) -> None:
        entries = list(self._listeners)
        own = [listener for thread, listener in entries if thread == threading.get_ident()]
        for listener in own or [listener for _, listener in entries]:
            listener(severity, text)
        if not entries and "ERROR" in severity:
            logging.getLogger("vs_interp.tensorrt").error(text)


@functools.cache
def runtime_log(trt: ModuleType) -> RuntimeLog:
    """Return the log of a runtime's module; the same one at every call."""
    return RuntimeLog(trt)
