"""A pool of sessions: each window goes to an idle one."""

from __future__ import annotations

import queue
from collections.abc import Sequence

from .base import Picture, Session


class SessionPool:
    """Several sessions used as one :class:`~trt_build.backends.base.Session`, by any number of threads at once.

    The session that has been idle longest is used next, so that all get an equal share of the work.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.size = len(sessions)
        """How many windows are processed at the same time."""
        self._idle: queue.SimpleQueue[Session] = queue.SimpleQueue()
        for session in sessions:
            self._idle.put(session)

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        """Wait for an idle session, asleep, and run it."""
        session = self._idle.get()
        try:
            session.run(window, keys, times, out)
        finally:
            self._idle.put(session)
