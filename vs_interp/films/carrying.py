"""ffmpeg's options that carry over what a source holds besides its picture, cut to the part that is encoded.

In the command the picture is input 0 and the source is input 1.  Of a part, its chapters are input 2; if it has
subtitles, the source is also input 3, read from :data:`LEAD` before the part, for those that are on when it starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from .chapters import chapters_within
from .containers import ATTACH, Carried
from .source import Source

LEAD = Fraction(60)
"""Seconds before a part in which subtitles may begin that are still on when it starts."""

LASTING = frozenset({"dvb_subtitle", "hdmv_pgs_subtitle"})
"""Subtitles without durations: each packet changes what is on, so that those before a part say what is on in it."""


LETTERS = {"sound": "a", "subtitles": "s", "cover": "v", "picture": "v"}
"""Kind of stream → ffmpeg's letter for its type.

Streams are numbered by type, since ``-an`` among the user's options leaves those of a type out.
"""


def inputs(source: Source, carried: Sequence[Carried]) -> list[str]:
    """Return the inputs after the picture."""
    film, ends = ["-i", f"file:{source.path}"], _ends(source)
    if source.window is None or ends is None:
        return film
    start, duration = source.window
    part = ["-t", f"{float(duration):.6f}", *film]
    chapters = ["-f", "ffmetadata", "-i", f"file:{chapters_within(source.path, start, ends)}"]
    options = ["-ss", f"{float(start):.6f}", *part, *chapters]
    if _reads_subtitles_apart(source, carried):
        lead = min(start, LEAD)
        options += ["-ss", f"{float(start - lead):.6f}", "-itsoffset", f"{-float(lead):.6f}", *part]
    return options


def streams(source: Source, container: str, carried: Sequence[Carried]) -> list[str]:
    """Return the options for the streams that follow the picture in the output, in order, its chapters and its end."""
    ends = _ends(source)
    options = ["-map_chapters", "1" if ends is None else "2"]
    places = Counter(v=1)  # of each type; the picture is v:0
    for each in (each for each in carried if each.encoder != ATTACH):
        letter = LETTERS[each.stream.kind]
        place = f"{letter}:{places[letter]}"
        places[letter] += 1
        is_subtitles = each.stream.kind == "subtitles"
        apart = is_subtitles and ends is not None
        options += ["-map", f"{3 if apart else 1}:{each.stream.index}", f"-c:{place}", each.encoder]
        options += [f"{word}:{place}" if word.startswith("-") else word for word in each.options]
        if ends is not None:
            options += [f"-copypriorss:{place}", str(int(is_subtitles))]  # whether to copy what precedes the part
            options += [f"-bsf:{place}", _within(ends, each.stream.codec)] if is_subtitles else []
    options += [] if ends is None else ["-t", f"{float(ends):.6f}"]
    return [*options, *(_attached(source, carried) if container == "matroska" else ())]


def unused_streams(source: Source, carried: Sequence[Carried]) -> list[str]:
    """Make ffmpeg read the source's picture into a null output.

    ffmpeg counts time from the first stream that it uses.  In files from discs and broadcasts, sound that starts
    later than the picture would otherwise be moved to the beginning, and so would subtitles that are read apart.
    """
    apart = ["-map", f"3:{source.track}", "-map", "3:a?"] if _reads_subtitles_apart(source, carried) else []
    return ["-map", f"1:{source.track}", *apart, "-c", "copy", "-f", "null", "-"]


def _reads_subtitles_apart(source: Source, carried: Sequence[Carried]) -> bool:
    return source.window is not None and any(each.stream.kind == "subtitles" for each in carried)


def _ends(source: Source) -> Fraction | None:
    """Return when a part ends, in seconds of the output; ``None`` for a whole film."""
    return None if source.window is None else source.window[1] + max(source.start, Fraction(0))


def _within(ends: Fraction, codec: str) -> str:
    """Return ffmpeg's bitstream filters that cut subtitles to the part; it leaves those whole that begin within it."""
    over = "" if codec in LASTING else "noise=drop='lt(pts,0)*lte(pts+duration,0)',"
    lasts = f"max(min(PTS+DURATION,{float(ends)!r}/TB)-max(PTS,0),0)"
    return f"{over}setts=pts='max(PTS,0)':dts='max(DTS,0)':duration='{lasts}'"


def _attached(source: Source, carried: Sequence[Carried]) -> list[str]:
    """Return the options for attached files in Matroska: the source's own, and covers."""
    options = ["-map", "1:t?", "-c:t", "copy"]
    covers = [each.stream.file for each in carried if each.encoder == ATTACH]
    for place, file in enumerate(covers, start=source.labels.files):
        kind = file.suffix[1:] if file else ""
        options += ["-attach", f"file:{file}", f"-metadata:s:t:{place}", f"mimetype=image/{kind}"]
        options += [f"-metadata:s:t:{place}", f"filename=cover.{kind}"]
    return options
