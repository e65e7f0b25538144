"""Sound and subtitles that a container does not hold become what it holds, and that is said."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from tests.films.whole import convert
from tests.video import SUBTITLES, ffmpeg, make_film
from vs_interp.errors import EncoderError
from vs_interp.films.codecs import Choice
from vs_interp.films.containers import carry
from vs_interp.films.others import OtherStream
from vs_interp.films.source import open_source


def kinds(path: Path) -> list[tuple[str, str]]:
    with av.open(str(path)) as container:
        return [
            (each.type, each.codec_context.codec.canonical_name) for each in container.streams if each.codec_context
        ]


@pytest.mark.parametrize(
    ("suffix", "sound"),
    [("webm", "opus"), ("mp4", "aac"), ("ts", "aac"), ("mov", "pcm_s16le"), ("avi", "pcm_s16le"), ("mkv", "pcm_s16le")],
)  # fmt: skip
def test_sound_becomes_what_the_container_holds(tmp_path: Path, suffix: str, sound: str) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / f"out.{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=24:d=1", "-f", "lavfi", "-i", "sine=d=1", "-pix_fmt", "yuv420p",
           "-c:v", "libx264", "-c:a", "pcm_s16le", source)  # fmt: skip
    convert(source, output, [])
    assert ("audio", sound) in kinds(output)
    with av.open(str(output)) as container:
        seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert seconds == pytest.approx(1, abs=0.05)


def test_a_webm_of_a_film_has_both_sounds_and_its_subtitles(tmp_path: Path) -> None:
    source, output = make_film(tmp_path / "in.mkv"), tmp_path / "out.webm"
    convert(source, output, [])
    assert kinds(output) == [("video", "vp9"), ("audio", "opus"), ("audio", "opus"), ("subtitle", "webvtt")]
    with av.open(str(output)) as container:
        assert container.streams.audio[1].metadata["language"] == "fin"


def test_an_m4v_is_an_mp4(tmp_path: Path) -> None:
    """libav has a container of its own for this suffix, which holds no H.265, no FLAC and no subtitles of ours."""
    source, output, subtitles = tmp_path / "in.mkv", tmp_path / "out.m4v", tmp_path / "in.srt"
    subtitles.write_text(SUBTITLES)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=24:d=1", "-f", "lavfi", "-i", "sine=d=1", "-i", subtitles,
           "-pix_fmt", "yuv420p10le", "-c:v", "ffv1", "-c:a", "flac", source)  # fmt: skip
    convert(source, output, [])
    assert kinds(output) == [("video", "hevc"), ("audio", "flac"), ("subtitle", "mov_text")]
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_sound_arguments_are_for_all_sound(tmp_path: Path) -> None:
    source, output = make_film(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    convert(source, output, [], choice=Choice(sound_arguments=("-c:a", "flac", "-ac", "2")))
    with av.open(str(output)) as container:
        assert [(each.codec.canonical_name, each.channels) for each in container.streams.audio] == [("flac", 2)] * 2


@pytest.mark.parametrize(
    ("layout", "suffix", "channels"), [("5.1(side)", "webm", 6), ("7.1", "webm", 8), ("7.1", "avi", 6)]
)
def test_surround_sound_becomes_the_layout_that_the_encoder_knows(
    tmp_path: Path, layout: str, suffix: str, channels: int
) -> None:
    """Opus refuses the 5.1(side) of AC-3 and DTS, and AC-3 has no eight channels."""
    source, output = tmp_path / "in.mkv", tmp_path / f"out.{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=48x32:r=24:d=0.5", "-f", "lavfi", "-i", "sine=d=0.5", "-c:v", "libx264",
           "-af", f"aformat=channel_layouts={layout}", "-c:a", "flac", source)  # fmt: skip
    convert(source, output, [])
    with av.open(str(output)) as container:
        assert container.streams.audio[0].channels == channels
    notes = carry("avi", open_source(source).others, ())[1]
    mixed = ", its 8 channels are mixed down to 6" if layout == "7.1" else ""
    assert notes == [f"avi holds no flac sound, stream 1 becomes ac3{mixed}"]


def with_sound(path: Path, layout: str) -> Path:
    """Write a film whose sound has channels in a layout."""
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=48x32:r=24:d=0.5", "-f", "lavfi", "-i", "sine=d=0.5", "-c:v", "libx264",
           "-af", f"aformat=channel_layouts={layout}", "-c:a", "pcm_s16le", path)  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("layout", "suffix", "arguments", "channels"),
    [
        ("2.1", "mp4", "", 3),
        ("4.0", "mp4", "", 4),
        ("7.1.2", "mp4", "", 8),
        ("7.1.2", "webm", "", 8),
        ("2.1", "mkv", "-c:a flac", 3),
        ("4.0", "mkv", "-c:a flac", 4),
        ("7.1.2", "mkv", "-c:a pcm_s24le", 10),
        ("5.1(side)", "mp4", "-c:a libopus", 6),
        ("5.1", "mkv", "-c:a libopus -ac 2", 2),
        ("5.1", "webm", "-ac 2", 2),
    ],
)
def test_sound_keeps_its_channels_where_the_encoder_has_as_many(
    tmp_path: Path, layout: str, suffix: str, arguments: str, channels: int
) -> None:
    source, output = with_sound(tmp_path / "in.mov", layout), tmp_path / f"out.{suffix}"
    convert(source, output, [], choice=Choice(sound_arguments=tuple(arguments.split())))
    with av.open(str(output)) as container:
        assert container.streams.audio[0].channels == channels
    said = f", its 10 channels are mixed down to {channels}" if layout == "7.1.2" and not arguments else ""
    notes = carry("webm" if suffix == "webm" else "mp4", open_source(source).others, tuple(arguments.split()))[1]
    assert all(note.endswith(f"becomes {'libopus' if suffix == 'webm' else 'aac'}{said}") for note in notes)
    assert len(notes) == (not arguments)


def test_a_wrong_word_for_the_sound_is_sought_there_too(tmp_path: Path) -> None:
    source, choice = make_film(tmp_path / "in.mkv"), Choice(sound_arguments=("-c:a", "libopus", "-b:a", "9000k"))
    with pytest.raises(EncoderError, match=r"bit rate .* \(correct --encoder-args or --audio-args"):
        convert(source, tmp_path / "out.mkv", [], choice=choice)


def test_each_change_is_said() -> None:
    streams = [
        OtherStream(index=1, kind="sound", codec="pcm_s24le", channels=6),
        OtherStream(index=2, kind="subtitles", codec="hdmv_pgs_subtitle"),
        OtherStream(index=3, kind="subtitles", codec="subrip"),
    ]
    carried, notes = carry("mp4", streams, ())
    assert [(each.stream.index, each.encoder, each.options) for each in carried] == [
        (1, "aac", ("-b", "576k")),
        (3, "mov_text", ()),
    ]
    assert notes == [
        "mp4 holds no pcm_s24le sound, stream 1 becomes aac",
        "mp4 holds no hdmv_pgs_subtitle subtitles, stream 2 is left out",
        "mp4 holds no subrip subtitles, stream 3 becomes mov_text",
    ]
    assert carry("matroska", streams, ()) == ([*map(type(carried[0]), streams)], [])
