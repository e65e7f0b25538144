"""Videos to test with, made by ffmpeg, and what is in a video file, read by libav."""

from __future__ import annotations

import hashlib
import subprocess
from fractions import Fraction
from pathlib import Path

import av

from vs_interp.films.ffmpeg import find_ffmpeg, keep_time_stamps

CHAPTERS = """;FFMETADATA1
title=A title
[CHAPTER]
TIMEBASE=1/1000
START=0
END=800
title=first
[CHAPTER]
TIMEBASE=1/1000
START=800
END=2000
title=second
"""

SUBTITLES = "1\n00:00:00,200 --> 00:00:00,900\nHello\n\n2\n00:00:01,000 --> 00:00:01,500\nthere\n"


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg to the end; what it makes of the same words and files it makes once, however many tests want it."""
    *words, output = arguments
    read = [word for word in words if isinstance(word, Path)]
    if "%" in str(output) or not all(path.is_file() for path in read):
        _run(*arguments)
        return
    contents = [(path.name, hashlib.sha256(path.read_bytes()).digest()) for path in read]
    wanted = (find_ffmpeg(), Path(output).suffix, *(word for word in words if isinstance(word, str)), *contents)
    if wanted not in _made:
        _run(*arguments)
        _made[wanted] = Path(output).read_bytes()
    Path(output).write_bytes(_made[wanted])


_made: dict[tuple[object, ...], bytes] = {}
"""Files by ffmpeg, ending, words, and names and contents of the files among them."""


def _run(*arguments: str | Path) -> None:
    subprocess.run([find_ffmpeg(), "-v", "error", "-y", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


def make_video(
    path: Path, *, rate: str = "24000/1001", frames: int = 24, size: str = "96x64", pixels: str = "yuv420p"
) -> Path:
    """Write a moving test picture at a constant rate, as good as lossless."""
    picture = f"testsrc2=s={size}:r={rate}"
    ffmpeg(
        "-f", "lavfi", "-i", picture, "-frames:v", str(frames), "-pix_fmt", pixels, "-c:v", "libx264", "-qp", "1", path
    )
    return path


def make_variable(path: Path) -> Path:
    """Write a video whose frames last 60, 40, 20, 60, 20, 40, 60, … ms."""
    chosen = "select='not(mod(n,3))+not(mod(n,5))'"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=50:d=1", "-vf", chosen, *keep_time_stamps(find_ffmpeg()),
           "-c:v", "libx264", "-pix_fmt", "yuv420p", "-enc_time_base", "1/1000", path)  # fmt: skip
    return path


def make_interlaced(path: Path) -> Path:
    """Write ten interlaced frames, the top field first, of twenty pictures of 50 a second."""
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=50:d=0.4", "-vf", "tinterlace=interleave_top,setfield=tff",
           "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct", path)  # fmt: skip
    return path


def make_film(path: Path) -> Path:
    """Write a Matroska film with two sounds, subtitles, chapters, a title, and key frames half a second apart."""
    chapters, subtitles = path.with_suffix(".txt"), path.with_suffix(".srt")
    chapters.write_text(CHAPTERS)
    subtitles.write_text(SUBTITLES)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=24:d=2", "-f", "lavfi", "-i", "sine=d=2",
           "-f", "lavfi", "-i", "sine=f=220:d=2", "-i", subtitles, "-i", chapters,
           "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-map_metadata", "4", "-map_chapters", "4",
           "-c:v", "libx264", "-g", "12", "-pix_fmt", "yuv420p", "-c:a", "aac", "-c:s", "srt",
           "-metadata:s:a:1", "language=fin", "-metadata:s:v:0", "language=swe", path)  # fmt: skip
    return path


def time_stamps(path: Path) -> list[Fraction]:
    """Return the exact times, in seconds, at which the frames of a file's video are shown."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        tick = Fraction(stream.time_base.numerator, stream.time_base.denominator)
        return sorted(packet.pts * tick for packet in container.demux(stream) if packet.pts is not None)


def duration(path: Path) -> Fraction:
    """Return how long a file's video lasts, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None and stream.duration is not None
        return stream.duration * Fraction(stream.time_base.numerator, stream.time_base.denominator)
