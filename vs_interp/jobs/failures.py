"""Which chunks failed on which workers: what is tried again and where, and whose work is to end."""

from __future__ import annotations

from collections.abc import Mapping, Set

STRIKES = 3
"""A worker on which this many chunks in a row failed gets no more: its disk may be full."""


class Failures:
    """The failures of a job's chunks, each of which is tried again ``retries`` times."""

    def __init__(self, retries: int) -> None:
        self.retries = retries
        self._tries: dict[int, list[tuple[str, str]]] = {}
        self._strikes: dict[str, set[int]] = {}

    def add(self, number: int, worker: str, why: str) -> bool:
        """Record that a chunk failed on a worker, and return whether it is to be tried again."""
        tries = self._tries.setdefault(number, [])
        tries.append((worker, why))
        return len(tries) <= self.retries

    def strike(self, worker: str, number: int) -> bool:
        """Count a worker's failed chunk; return whether as many failed on it in a row as end its work."""
        strikes = self._strikes.setdefault(worker, set())
        strikes.add(number)
        return len(strikes) >= STRIKES

    def forgive(self, worker: str) -> None:
        """Record that a worker finished a chunk."""
        self._strikes.pop(worker, None)

    def may_make(self, number: int, worker: str, able: Set[str]) -> bool:
        """Whether a chunk has not failed on this worker yet, or has failed on all that are ``able`` alike."""
        failed = {other for other, _ in self._tries.get(number, ())}
        return worker not in failed or able <= failed

    def final(self) -> Mapping[int, tuple[str, str]]:
        """Return, for each chunk that failed every time, the worker of its last failure and why it failed there."""
        return {number: tries[-1] for number, tries in sorted(self._tries.items()) if len(tries) > self.retries}
