"""Windows: which frames of a clip a network sees, also at the clip's ends and near cuts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import vapoursynth as vs

from vs_interp.films.caches import passing
from vs_interp.spec import Window, reflect

core = vs.core


def window_clips(clip: vs.VideoNode, window: Window) -> list[vs.VideoNode]:
    """Return one clip for each place in the window: its frame n is what the window of frame n has there."""
    return [shift(clip, offset, window.edge) for offset in window.offsets]


def window_numbers(number: int, length: int, window: Window) -> list[int]:
    """Return the numbers of the frames in the window of frame ``number``, in a clip of ``length`` frames."""
    return [reflect(number + offset, length, window.edge) for offset in window.offsets]


def shift(clip: vs.VideoNode, offset: int, edge: str = "repeat") -> vs.VideoNode:
    """Return the clip whose frame n is frame n + ``offset``, or its stand-in beyond the clip's ends."""
    length = len(clip)
    if offset == 0:
        return clip
    beyond = range(length, length + offset) if offset > 0 else range(offset, 0)
    added = [clip[reflect(number, length, edge)] for number in beyond]
    if abs(offset) >= length:
        return core.std.Splice(added[-length:] if offset > 0 else added[:length])
    rest = passing(clip[offset:] if offset > 0 else clip[:offset])
    return passing(core.std.Splice([rest, *added] if offset > 0 else [*added, rest]))


def near_side(numbers: Sequence[int], centre: int, is_cut: Callable[[int, int], bool]) -> list[int]:
    """Return, for each place in a window, the place whose frame to use there, so that no cut is crossed.

    From the centre outwards, the last frame before a cut repeats.  ``numbers`` are the numbers of the window's frames;
    ``is_cut`` is called with two places whose frames follow each other in the clip, the earlier frame first.
    """
    chosen = list(range(len(numbers)))
    for step in (1, -1):
        end = len(numbers) if step > 0 else -1
        for place in range(centre + step, end, step):
            before = place - step
            earlier, later = sorted((before, place), key=lambda at: numbers[at])
            beyond = chosen[before] != before
            if beyond or (numbers[earlier] != numbers[later] and is_cut(earlier, later)):
                chosen[place] = chosen[before]
    return chosen
