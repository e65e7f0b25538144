"""What a film holds beside its picture is kept, or said to be lost."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.sidedata.sidedata import Type
from av.stream import Disposition

from tests.films.whole import convert
from tests.video import ffmpeg, make_video
from vs_interp.films.codecs import Choice
from vs_interp.films.encoding import Encoding
from vs_interp.films.source import open_source
from vs_interp.films.timecode import retimed


@pytest.fixture
def cover(tmp_path: Path) -> Path:
    path = tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", path)
    return path


def notes(source: Path, output: str) -> tuple[str, ...]:
    """Return what a conversion into a file of that name says."""
    opened = open_source(source)
    return Encoding.prepare(opened, opened.stream, source.with_name(output), Choice()).notes


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_covers_are_kept_from_film_to_film(tmp_path: Path, cover: Path, suffix: str) -> None:
    source, first, second = tmp_path / "in.mp4", tmp_path / f"first.{suffix}", tmp_path / "second.mkv"
    ffmpeg("-i", make_video(tmp_path / "plain.mp4", frames=5), "-i", cover, "-map", "0", "-map", "1", "-c", "copy",
           "-disposition:v:1", "attached_pic", source)  # fmt: skip
    convert(source, first, [])
    convert(first, second, [])
    for path in (first, second):
        with av.open(str(path)) as container:
            (picture,) = [stream for stream in container.streams.video if stream.disposition & Disposition.attached_pic]
            assert bytes(next(container.demux(picture))) == cover.read_bytes()
    assert notes(source, "out.webm") == ("webm holds no png cover, stream 1 is left out",)


def test_further_videos_and_views_are_kept_or_told(tmp_path: Path) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / "out.mkv"
    plain = make_video(tmp_path / "plain.mp4", frames=5)
    ffmpeg("-i", plain, "-i", make_video(tmp_path / "other.mp4", frames=5, size="64x48"), "-map", "0", "-map", "1",
           "-c", "copy", "-metadata:s:v:0", "stereo_mode=left_right", source)  # fmt: skip
    assert notes(source, "out.mkv") == ("stream 1, a second video, is copied as it is",)
    told = notes(source, "out.webm")
    assert told[0].startswith("webm holds no h264 video, stream 1 is left out")
    convert(source, output, [])
    with av.open(str(output)) as container:
        assert container.streams.video[0].metadata["stereo_mode"] == "left_right"
        assert container.streams.video[1].codec_context.width == 64


@pytest.mark.parametrize("suffix", ["mp4", "mov", "ts"])
@pytest.mark.parametrize("mode", ["left_right", "top_bottom"])
def test_how_two_views_lie_goes_with_the_film_into_any_container_and_back(
    tmp_path: Path, suffix: str, mode: str
) -> None:
    source, there, back = tmp_path / "in.mkv", tmp_path / f"there.{suffix}", tmp_path / "back.mkv"
    ffmpeg("-i", make_video(tmp_path / "plain.mp4", frames=5), "-c", "copy", "-metadata:s:v:0", f"stereo_mode={mode}",
           source)  # fmt: skip
    convert(source, there, [], choice=Choice(arguments=("-x264-params", "keyint=3")))
    with av.open(str(there)) as container:
        (first, *_) = container.decode(video=0)
    assert bytes(first.side_data.get(Type.STEREO3D))[0] == {"left_right": 1, "top_bottom": 2}[mode]
    convert(there, back, [])
    with av.open(str(back)) as container:
        assert container.streams.video[0].metadata["stereo_mode"] == mode


@pytest.mark.parametrize(
    ("mode", "choice"),
    [("left_right", Choice(codec="h265")), ("right_left", Choice()), ("anaglyph_cyan_red", Choice())],
)
def test_views_that_cannot_be_said_are_told(tmp_path: Path, mode: str, choice: Choice) -> None:
    source = tmp_path / "in.mkv"
    ffmpeg("-i", make_video(tmp_path / "plain.mp4", frames=5), "-c", "copy", "-metadata:s:v:0", f"stereo_mode={mode}",
           source)  # fmt: skip
    opened = open_source(source)
    (note,) = Encoding.prepare(opened, opened.stream, tmp_path / "out.mp4", choice).notes
    assert note.startswith(f"mp4 has no tag for the layout of stereoscopic frames (stereo_mode {mode})")


@pytest.mark.parametrize("suffix", ["mov", "mkv"])
def test_the_time_code_means_the_same_moment(tmp_path: Path, suffix: str) -> None:
    source, output = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    ffmpeg("-i", make_video(tmp_path / "plain.mp4", rate="25", frames=5), "-c", "copy", "-metadata",
           "timecode=01:00:00:10", source)  # fmt: skip
    convert(source, output, [])
    with av.open(str(output)) as container:
        found = {**container.metadata, **container.streams.video[0].metadata}
    assert {name.lower(): value for name, value in found.items()}["timecode"] == "01:00:00:10"


@pytest.mark.parametrize(
    ("timecode", "source", "made", "first", "expected"),
    [
        ("01:00:00:10", 25, 50, 0, "01:00:00:20"),
        ("01:00:00:10", 25, 60, 0, "01:00:00:24"),
        ("00:59:59:24", 25, 50, 1, "01:00:00:00"),
        ("23:59:59:00", 24, 48, 36, "00:00:00:24"),
        ("01:00:00;02", Fraction(30000, 1001), Fraction(60000, 1001), 0, "01:00:00;04"),
        ("01:00:00;02", Fraction(30000, 1001), 50, 0, None),
        ("01:00:00;02", Fraction(30000, 1001), Fraction(60000, 1001), 7, None),
        ("01:00:00:10", 25, 0, 0, None),
        ("some time", 25, 50, 0, None),
    ],
)
def test_time_codes_at_other_rates(timecode: str, source: float, made: float, first: int, expected: str | None) -> None:
    assert retimed(timecode, Fraction(source), Fraction(made), first) == expected


def test_attached_files_that_are_lost_are_told(tmp_path: Path) -> None:
    source, font = tmp_path / "in.mkv", tmp_path / "a.ttf"
    font.write_bytes(b"font")
    ffmpeg("-i", make_video(tmp_path / "plain.mp4", frames=5), "-c", "copy", "-attach", font, "-metadata:s:t",
           "mimetype=font/ttf", source)  # fmt: skip
    assert notes(source, "out.mp4") == ("mp4 holds no attached files (fonts and the like), 1 left out",)
    assert notes(source, "out.mkv") == ()


def test_odd_sizes_are_told(tmp_path: Path) -> None:
    odd = tmp_path / "odd.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2,format=yuv444p,crop=63:47:exact=1", "-pix_fmt", "yuv420p",
           "-c:v", "ffv1", odd)  # fmt: skip
    assert notes(odd, "out.mkv") == ("the picture of 63x47 becomes 62x46: YUV420P8 has no odd sizes",)


def test_flags_of_the_picture_are_kept(tmp_path: Path) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / "out.mkv"
    ffmpeg("-i", make_video(tmp_path / "plain.mp4", frames=5), "-c", "copy", "-disposition:v", "default+forced", source)
    convert(source, output, [])
    with av.open(str(output)) as container:
        kept = container.streams.video[0].disposition
    assert kept & Disposition.default
    assert kept & Disposition.forced
