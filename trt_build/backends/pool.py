"""The sessions of a model as one: a window goes to whichever session is idle."""

from __future__ import annotations

import queue
from collections.abc import Sequence

from .base import Picture, Session


class SessionPool:
    """A session that any number of threads may use at once: those for whom none is idle wait, asleep.

    See :class:`~trt_build.backends.base.Session`.  The session that has been idle the longest is next, so that all work
    in equal parts, whichever windows there is anything to do in.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.size = len(sessions)
        """How many windows are worked on at the same time."""
        self._idle: queue.SimpleQueue[Session] = queue.SimpleQueue()
        for session in sessions:
            self._idle.put(session)

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        """Wait for a session, and let it work."""
        session = self._idle.get()
        try:
            session.run(window, keys, times, out)
        finally:
            self._idle.put(session)
