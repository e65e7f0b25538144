"""The one logger of each runtime: TensorRT keeps the first it is given for the life of the process, whoever made it."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

Hear = Callable[[str, str], None]
"""Takes one message: its severity, such as ``ERROR``, and its text."""


class RuntimeLog:
    """What a runtime says, given to those whose call it is about.

    A message goes to the listeners of the thread it is said in; one of a thread of the runtime's own goes to all.  An
    error that nobody listens to goes to :mod:`logging`.
    """

    def __init__(self, trt: ModuleType) -> None:
        self._listeners: list[tuple[int, Hear]] = []
        log = self

        class Logger(trt.ILogger):  # type: ignore[misc,name-defined]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                log._say(severity.name, message)

        self.logger = Logger()
        """What the runtime's own objects are given."""

    @contextmanager
    def heard(self, hear: Hear) -> Iterator[None]:
        """Give ``hear`` what the runtime says during a call."""
        listener = threading.get_ident(), hear
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @contextmanager
    def errors(self) -> Iterator[list[str]]:
        """Collect the errors of a call."""
        said: list[str] = []
        with self.heard(lambda severity, text: said.append(text) if "ERROR" in severity else None):
            yield said

    def _say(self, severity: str, text: str) -> None:
        listeners = list(self._listeners)
        own = [hear for thread, hear in listeners if thread == threading.get_ident()]
        for hear in own or [hear for _, hear in listeners]:
            hear(severity, text)
        if not listeners and "ERROR" in severity:
            logging.getLogger("vs_interp.tensorrt").error(text)


@functools.cache
def runtime_log(trt: ModuleType) -> RuntimeLog:
    """Return the log of a runtime's module, which is never freed."""
    return RuntimeLog(trt)
