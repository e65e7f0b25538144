"""Windows: which frames of a clip a network looks at, beyond the clip's ends and at cuts too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import vapoursynth as vs

from vs_interp.spec import Window

core = vs.core


def window_clips(clip: vs.VideoNode, window: Window) -> list[vs.VideoNode]:
    """Return a clip for every place in the window: frame n of it stands there in the window of frame n."""
    return [shift(clip, offset, window.edge) for offset in window.offsets]


def window_numbers(number: int, length: int, window: Window) -> list[int]:
    """Return the numbers of the frames in the window of a frame, in a clip of so many."""
    return [reflect(number + offset, length, window.edge) for offset in window.offsets]


def shift(clip: vs.VideoNode, offset: int, edge: str = "repeat") -> vs.VideoNode:
    """Return the clip whose frame n is frame n + ``offset``, or what stands for it beyond the clip's ends."""
    length = len(clip)
    if offset == 0:
        return clip
    beyond = range(length, length + offset) if offset > 0 else range(offset, 0)
    added = [clip[reflect(number, length, edge)] for number in beyond]
    if abs(offset) >= length:
        return core.std.Splice(added[-length:] if offset > 0 else added[:length])
    return core.std.Splice([clip[offset:], *added] if offset > 0 else [*added, clip[:offset]])


def reflect(number: int, length: int, edge: str) -> int:
    """Return the frame that stands for ``number``, which may lie before or beyond the clip."""
    if edge == "mirror" and length > 1:
        number = abs(number) % (2 * length - 2)
        return min(number, 2 * length - 2 - number)
    return min(max(number, 0), length - 1)


def near_side(numbers: Sequence[int], centre: int, is_cut: Callable[[int, int], bool]) -> list[int]:
    """Return, for every place in a window, the place whose frame to put there: none from beyond a cut.

    ``numbers`` are the frames' own, and ``is_cut`` is asked about two places whose frames follow each other in the
    clip, the earlier frame first; from a cut on outwards, the last frame on the near side repeats.
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
