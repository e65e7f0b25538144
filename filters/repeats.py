"""Drawn film: repeats of a drawing become one longer frame, so that motion is made from drawing to drawing."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median_low

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vs_interp.arguments import check_share, is_real
from vs_interp.errors import ArgumentError
from vs_interp.files import write_whole
from vs_interp.films.durations import check_durations, variable_durations
from vs_interp.log import logger

from .models import speaking_as
from .planes import check_samples

core = vs.core

LIMIT = 0.012
"""Of a range of 1 (3 codes of 8 bits): grain and compression change a block's mean by less, a moving line by more."""

LONGEST = 0.3
"""Seconds, a drawing held for seven frames at 24 frames a second; anything held longer is a pause."""

INTERVAL = 10.0
"""Seconds between two lines that say how far the film is looked through."""

SAMPLES = 8
"""How many frames are hashed to tell clips apart."""

BLOCK = 16
GRAIN = 2.5
"""The busiest block may change this many times as much as the median one: grain is everywhere, motion is not."""


def drop_repeats(
    clip: vs.VideoNode, *, limit: float = LIMIT, longest: float = LONGEST, kept: str | os.PathLike[str] | None = None
) -> vs.VideoNode:
    """Return the clip with repeated drawings merged: each is one frame that lasts as long as all its repeats.

    Use it before interpolating drawn film on twos or threes, so that new frames lie between two drawings instead of
    between a drawing and its copy.  The call reads the whole clip once.

    limit
        How much the mean of any 16×16 block of luma may differ in a repeat, of a range of 1.  Grain and compression
        stay below the default; a mouth that moves does not.
    longest
        The longest that one drawing lasts, in seconds.  Anything held longer is a pause: it becomes a frame that stands
        still, then one of the usual duration, so that the pause does not drift slowly into the next drawing.
    kept
        A folder in which the result is kept for the next call with the same clip and limit.

    Fades are not merged, and neither is a camera that pans over a still drawing, since every frame then differs.
    Raises ``vs.Error`` where frames have no durations.
    """
    with speaking_as("drop_repeats"):
        check_share("limit", limit, "0.012")
        if not is_real(longest) or longest <= 0:
            raise ArgumentError(f"longest is {longest!r}: it must be seconds above 0, such as 0.3")
        if not isinstance(kept, str | os.PathLike | None):
            raise ArgumentError(f"kept is {kept!r}: give a folder, or None to keep nothing")
        check_samples(clip)
        if not clip.fps:
            check_durations(clip)
        durations = variable_durations(clip) or [1 / clip.fps] * len(clip)
        firsts = _remembered(clip, limit, None if kept is None else Path(kept))
        drawings = split_pauses(firsts, durations, Fraction(float(longest)).limit_denominator(1000))
    return _merged(clip, drawings, durations)


@dataclass(frozen=True)
class Drawing:
    """A frame's luma, of a range of 1, and the means of its blocks."""

    luma: NDArray[np.float32]
    means: NDArray[np.float32]

    @classmethod
    def seen_in(cls, luma: NDArray[np.float32]) -> Drawing:
        """Return what a plane of luma shows."""
        return cls(luma, _means(luma.shape, luma.__getitem__))

    def is_repeated_by(self, other: Drawing, limit: float) -> bool:
        """Return whether two frames show the same but for grain and compression.

        A line that moves within a block leaves the block's mean as it is, and stands out from the grain of the others.
        """
        change = other.means - self.means
        if float(np.abs(change).max()) > limit or abs(float(change.mean())) > limit / 10:
            return False
        grain = _means(self.luma.shape, lambda lines: np.abs(other.luma[lines] - self.luma[lines]))
        return float(grain.max()) <= GRAIN * float(np.median(grain)) + limit


def first_frames(clip: vs.VideoNode, limit: float) -> Iterator[int]:
    """Yield the first frame of every drawing.

    A frame is compared with the first of the drawing so far, so that nothing drifts away unnoticed.
    """
    shown: Drawing | None = None
    said = time.monotonic()
    for number, frame in enumerate(_luma(clip).frames(close=True)):
        seen = Drawing.seen_in(np.asarray(frame[0]))
        if shown is None or not shown.is_repeated_by(seen, limit):
            shown = replace(seen, luma=seen.luma.copy())
            yield number
        if time.monotonic() - said > INTERVAL:
            said = time.monotonic()
            logger.info("looking for repeated drawings: %d of %d frames", number + 1, len(clip))


def split_pauses(firsts: Sequence[int], durations: Sequence[Fraction], longest: Fraction) -> list[int]:
    """Return the frames to keep: ``firsts``, and in each pause the frame from which it moves again."""
    ends = [*firsts[1:], len(durations)]
    lengths = [end - first for first, end in zip(firsts, ends, strict=True)]
    seconds = [sum(durations[first:end], Fraction(0)) for first, end in zip(firsts, ends, strict=True)]
    usual = median_low([n for n, lasts in zip(lengths, seconds, strict=True) if lasts <= longest] or [1])
    kept: list[int] = []
    for first, end, lasts in zip(firsts, ends, seconds, strict=True):
        kept += [first] if lasts <= longest or end - first <= usual else [first, end - usual]
    return kept


def _luma(clip: vs.VideoNode) -> vs.VideoNode:
    """Return luma (green for RGB) in float32, 0 for black to 1 for white."""
    plane = core.std.ShufflePlanes(clip, 1 if clip.format.color_family == vs.RGB else 0, vs.GRAY)
    return plane if plane.format.id == vs.GRAYS else core.resize.Point(plane, format=vs.GRAYS, matrix_in=1)


def _means(shape: tuple[int, ...], lines: Callable[[slice], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the mean of each block of a plane whose lines ``lines`` gives: in strips, which stay in the caches.

    The last block of a row or column takes in what is left over at the edge.
    """
    (*rows, height), (*columns, width) = ([*range(0, max(length - BLOCK, 0) + 1, BLOCK), length] for length in shape)
    strips = [lines(slice(*ends)).sum(0) for ends in pairwise([*rows, height])]
    sums = np.add.reduceat(np.stack(strips), columns, 1)
    means: NDArray[np.float32] = sums / np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    return means


def _remembered(clip: vs.VideoNode, limit: float, folder: Path | None) -> list[int]:
    """Return the first frame of each drawing, read from the folder where an earlier call kept it."""
    if folder is None:
        return list(first_frames(clip, limit))
    path = folder / f"{_identity(clip, limit)}.json"
    with suppress(OSError, ValueError, TypeError):  # not there yet, or damaged
        kept = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(kept, list) and kept[:1] == [0] and kept == sorted({*map(int, kept)} & {*range(len(clip))}):
            return kept
    logger.info("looking for repeated drawings in %d frames", len(clip))
    firsts = list(first_frames(clip, limit))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(firsts).encode())
    except OSError as error:
        logger.warning("the drawings found cannot be kept in %s (%s)", folder, error.strerror)
    return firsts


def _identity(clip: vs.VideoNode, limit: float) -> str:
    """Return a hash that tells clips apart: their length, size and a few of their frames."""
    digest = hashlib.sha256(f"{len(clip)} {clip.width}x{clip.height} {limit}".encode())
    for number in np.linspace(0, len(clip) - 1, SAMPLES).round().astype(int).tolist():
        with clip.get_frame(number) as frame:
            digest.update(np.ascontiguousarray(frame[0]).tobytes())
    return digest.hexdigest()[:32]


def _merged(clip: vs.VideoNode, kept: Sequence[int], durations: Sequence[Fraction]) -> vs.VideoNode:
    """Return the frames to keep, each lasting until the next one kept."""
    dropped = sorted(set(range(len(clip))) - set(kept))
    lasting = [sum(durations[first:end], Fraction(0)) for first, end in pairwise([*kept, len(clip)])]
    drawings = core.std.DeleteFrames(clip, dropped) if dropped else clip

    def timed(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        frame.props["_DurationNum"], frame.props["_DurationDen"] = lasting[n].as_integer_ratio()
        return frame

    rateless = core.std.BlankClip(drawings, fpsnum=0, fpsden=1, keep=True)
    return rateless.std.ModifyFrame(drawings, timed)
