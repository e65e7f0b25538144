"""Windows of footage: which frames of a sequence a network is given, and which it is to make, according to its spec."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import DatasetError
from vs_interp.spec import NetworkSpec

from .footage import Footage

CUT = 24.0
"""Two frames with a larger mean absolute difference (0–255) have a cut between them."""

STILL = 0.35
"""Two frames with a smaller mean absolute difference (0–255) count as the same picture."""

FINEST = 64
"""Largest denominator of a network's fixed times."""


class Window(NamedTuple):
    """One sample: the numbers of its frames in a sequence, and the time to make if the network takes one.

    ``inputs`` are given to the network, which is to make the ``truths``.
    """

    sequence: int
    inputs: tuple[int, ...]
    truths: tuple[int, ...]
    time: Fraction | None


class Pattern(NamedTuple):
    """The frames of a window relative to its frame 0; otherwise like :class:`Window`."""

    inputs: tuple[int, ...]
    truths: tuple[int, ...]
    time: Fraction | None

    @property
    def first(self) -> int:
        """The earliest frame; at most 0."""
        return min(self.inputs + self.truths)

    @property
    def last(self) -> int:
        """The latest frame."""
        return max(self.inputs + self.truths)

    @property
    def interpolates(self) -> bool:
        """Whether a truth is not among the inputs, so that they must show motion."""
        return not set(self.truths) <= set(self.inputs)


class Windows:
    """Many windows in ten bytes each; ``windows[i]`` is a :class:`Window`.

    For each window, ``kinds`` is the index of its pattern, ``sequences`` its sequence and ``starts`` its frame 0.
    """

    def __init__(
        self,
        patterns: Sequence[Pattern],
        kinds: NDArray[np.uint16],
        sequences: NDArray[np.int32],
        starts: NDArray[np.int32],
    ) -> None:
        self.patterns = tuple(patterns)
        self.kinds, self.sequences, self.starts = kinds, sequences, starts

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Window:
        pattern, start = self.patterns[self.kinds[index]], int(self.starts[index])
        inputs = tuple(start + number for number in pattern.inputs)
        truths = tuple(start + number for number in pattern.truths)
        return Window(int(self.sequences[index]), inputs, truths, pattern.time)

    def __iter__(self) -> Iterator[Window]:
        return map(self.__getitem__, range(len(self)))


def patterns(spec: NetworkSpec, gaps: Sequence[int] = (2,), times: Sequence[Fraction] | None = None) -> list[Pattern]:
    """Return the patterns of a network's windows.

    A network that takes a time gets frames ``gap`` apart, for each of ``gaps``, and makes each frame between frame 0
    and the next, or only those at ``times`` if given.  Any other network gets frames just far enough apart that there
    is a true frame at each of its fixed times: 2 for the time 1/2, 1 for a network that refines frame 0.

    Raises :class:`DatasetError` if no frame lies at the given gaps and times.
    """
    offsets, exact = spec.window.offsets, _exact_times(spec)
    if exact:
        step = own_gap(spec)
        return [Pattern(tuple(step * offset for offset in offsets), tuple(int(step * time) for time in exact), None)]
    found = [
        Pattern(tuple(gap * offset for offset in offsets), (between,), Fraction(between, gap))
        for gap in gaps
        for between in range(1, gap)
        if times is None or Fraction(between, gap) in times
    ]
    if not found:
        wanted = "" if times is None else f" and the times {', '.join(map(str, times))}"
        raise DatasetError(f"the gaps {list(gaps)}{wanted} leave no frame to make: give a gap of 2 or more")
    return found


def own_gap(spec: NetworkSpec) -> int:
    """Return how many frames apart a network with fixed times gets its frames, so that each of these is a frame."""
    return math.lcm(*(time.denominator for time in _exact_times(spec)))


def _exact_times(spec: NetworkSpec) -> list[Fraction]:
    """Return a network's fixed times; none of one that takes a time."""
    return [Fraction(time).limit_denominator(FINEST) for time in spec.output.times or ()]


def cut_windows(
    footage: Footage, spec: NetworkSpec, gaps: Sequence[int] = (2,), times: Sequence[Fraction] | None = None
) -> Windows:
    """Return all windows of footage for a network, ordered by pattern, sequence and frame.  See :func:`patterns`.

    If the footage knows the differences of its frames, windows with a cut are left out, and for interpolation also
    those with repeated frames.  Raises :class:`DatasetError` if there is no window.
    """
    kinds = patterns(spec, gaps, times)
    moving, whole = _breaks(footage, STILL), _breaks(footage, 0.0)
    found = [_places(footage, pattern, moving if pattern.interpolates else whole) for pattern in kinds]
    if not any(len(starts) for _, starts in found):
        shortest = min(pattern.last - pattern.first + 1 for pattern in kinds)
        longest = max(footage.lengths, default=0)
        raise DatasetError(
            f"no window of {spec.name} fits: it needs {shortest} consecutive frames without cuts or still frames, "
            f"and the longest sequence has {longest}"
        )
    return Windows(
        kinds,
        np.repeat(np.arange(len(kinds), dtype=np.uint16), [len(starts) for _, starts in found]),
        np.concatenate([sequences for sequences, _ in found]),
        np.concatenate([starts for _, starts in found]),
    )


def within(windows: Windows, footage: Footage, part: tuple[float, float]) -> Windows:
    """Return the windows whose frames all lie in a part of the footage.

    ``part`` is a range, of 0 to 1, of the frames of all sequences in order.  Windows of parts that do not overlap share
    no frame.
    """
    first, last = (round(end * sum(footage.lengths)) for end in part)
    begins = np.cumsum(footage.lengths) - footage.lengths
    starts = begins[windows.sequences] + windows.starts
    before, after = (
        np.array([getattr(pattern, end) for pattern in windows.patterns], np.int64)[windows.kinds]
        for end in ("first", "last")
    )
    inside = (starts + before >= first) & (starts + after < last)
    return Windows(windows.patterns, windows.kinds[inside], windows.sequences[inside], windows.starts[inside])


def _breaks(footage: Footage, still: float) -> NDArray[np.int32]:
    """Return for every frame, of all sequences in order, how many cuts and repeats lie before it."""
    broken = np.zeros(sum(footage.lengths), bool)
    begin = 0
    for sequence, length in enumerate(footage.lengths):
        differences = footage.differences(sequence)
        if differences is not None:
            broken[begin + 1 : begin + length] = (differences > CUT) | (differences < still)
        begin += length
    return np.cumsum(broken, dtype=np.int32)


def _places(
    footage: Footage, pattern: Pattern, breaks: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the sequences and the first frames (frame 0) of all windows of one pattern."""
    lengths = np.asarray(footage.lengths, np.int64)
    span = pattern.last - pattern.first
    counts = np.maximum(lengths - span, 0)
    sequences = np.repeat(np.arange(len(lengths)), counts)
    begins, ranks = np.cumsum(lengths) - lengths, np.cumsum(counts) - counts
    firsts = np.arange(counts.sum()) - ranks[sequences]
    places = begins[sequences] + firsts
    good = breaks[places + span] == breaks[places] if len(places) else np.zeros(0, bool)
    starts = firsts[good] - pattern.first
    return sequences[good].astype(np.int32), starts.astype(np.int32)
