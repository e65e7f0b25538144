"""The renderer: encoded files are decoded again, and hold the frames, times, colours and streams that went in."""

from __future__ import annotations

import hashlib
import itertools
import stat
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import vapoursynth as vs

from vs_interp.cli.convert import Step, convert
from vs_interp.cli.source import Stream, is_constant, open_source
from vs_interp.errors import ArgumentError, EncoderError, SourceError
from vs_interp.ffmpeg import find_ffmpeg, last_words, version

from .video import duration, ffmpeg, make_film, make_variable, make_video, time_stamps

core = vs.core


def imageio_binary() -> str:
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@pytest.fixture(params=["found", "imageio"])
def each_ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run with the ffmpeg of this machine, and with the one that pip installs."""
    binary = find_ffmpeg() if request.param == "found" else imageio_binary()
    monkeypatch.setenv("VS_INTERP_FFMPEG", binary)
    return binary


def doubled(stream: Stream) -> Stream:
    """Show every frame twice, each time half as long."""
    clip = core.std.Interleave([stream.clip, stream.clip])
    return Stream(clip, None if stream.tick is None else stream.tick / 2)


def shown(clip: vs.VideoNode, tick: Fraction | None = None) -> Step:
    """Return the step that puts another clip in the source's place."""
    return lambda stream: Stream(clip, tick)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def pictures(clip: vs.VideoNode) -> list[list[bytes]]:
    return [
        [np.asarray(frame[p]).tobytes() for p in range(clip.format.num_planes)] for frame in clip.frames(close=True)
    ]


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_constant_rate_keeps_exact_time_stamps(tmp_path: Path, each_ffmpeg: str, suffix: str) -> None:
    source, output = make_video(tmp_path / "in.mp4"), tmp_path / f"out.{suffix}"
    summary = convert(source, output, [doubled], quiet=True)
    assert summary.frames == 48
    assert time_stamps(output) == [n * Fraction(1001, 48000) for n in range(48)]
    assert duration(output) == 48 * Fraction(1001, 48000)
    with av.open(str(output)) as container:
        assert container.streams.video[0].average_rate == Fraction(48000, 1001)


def test_matroska_states_the_constant_rate(tmp_path: Path, each_ffmpeg: str) -> None:
    source, output = make_video(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    convert(source, output, [doubled], quiet=True)
    assert all(abs(t - n * Fraction(1001, 48000)) <= Fraction(1, 2000) for n, t in enumerate(time_stamps(output)))
    with av.open(str(output)) as container:
        rate = container.streams.video[0].average_rate
        assert rate is not None and abs(float(rate) - 48000 / 1001) < 0.001


def test_variable_rate_keeps_exact_time_stamps(tmp_path: Path, each_ffmpeg: str) -> None:
    source, output = make_variable(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    before = time_stamps(source)
    assert len({b - a for a, b in itertools.pairwise(before)}) == 3
    convert(source, output, [doubled], quiet=True)
    after = time_stamps(output)
    assert after[::2] == before
    assert after[1::2][:-1] == [(a + b) / 2 for a, b in itertools.pairwise(before)]


def test_matroska_states_the_mean_of_a_variable_rate(tmp_path: Path, each_ffmpeg: str) -> None:
    """And not what libav takes for granted, 24 frames a second, by which televisions set their own rate."""
    source, output = make_variable(tmp_path / "in.mp4"), tmp_path / "out.mkv"
    convert(source, output, [doubled], quiet=True)
    stamps = time_stamps(output)
    mean = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    with av.open(str(output)) as container:
        rate = container.streams.video[0].average_rate
        assert rate is not None and abs(rate - mean) < 0.05 * mean


def test_milliseconds_of_matroska_are_seen_as_the_constant_rate_they_round(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "in.mkv"), tmp_path / "out.mp4"
    convert(source, output, [], quiet=True)
    assert time_stamps(output) == [n * Fraction(1001, 24000) for n in range(24)]


def test_a_single_frame_is_a_video(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=1), tmp_path / "out.mp4"
    convert(source, output, [], quiet=True)
    assert time_stamps(output) == [0]


def test_constant_is_what_strays_by_rounding_only() -> None:
    tick, rate = Fraction(1, 1000), Fraction(24000, 1001)
    rounded = [round(n * 1001 / 24) for n in range(1000)]
    assert is_constant(rounded, tick, rate)
    assert is_constant([stamp + 80 for stamp in rounded], tick, rate)
    assert not is_constant([*rounded[:500], *(stamp + 42 for stamp in rounded[500:])], tick, rate)
    assert is_constant([-(1 << 63)] * 5, tick, rate), "a bare stream without time stamps"


def test_sound_subtitles_chapters_and_metadata_are_kept(tmp_path: Path, each_ffmpeg: str) -> None:
    source = make_film(tmp_path / "in.mkv")
    sounds = _sound_packets(source)
    assert len(sounds) == 2 and all(sounds)
    for suffix, codec in (("mkv", "subrip"), ("mp4", "mov_text")):
        output = tmp_path / f"out.{suffix}"
        convert(source, output, [doubled], quiet=True)
        with av.open(str(output)) as container:
            assert len(container.streams.video) == 1
            assert [stream.codec.canonical_name for stream in container.streams.subtitles] == [codec]
            assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["first", "second"]
            assert container.metadata["title"] == "A title"
            assert container.streams.video[0].metadata["language"] == "swe"
            assert container.streams.audio[1].metadata["language"] == "fin"
        assert _sound_packets(output) == sounds


def _sound_packets(path: Path) -> list[list[str]]:
    """Return the digests of every sound packet, a list for each stream."""
    with av.open(str(path)) as container:
        found: dict[int, list[str]] = {stream.index: [] for stream in container.streams.audio}
        for packet in container.demux(container.streams.audio):
            if packet.size:
                found[packet.stream.index].append(hashlib.sha256(bytes(packet)).hexdigest())
        return list(found.values())


def test_a_picture_that_begins_after_the_sound_still_does(tmp_path: Path, each_ffmpeg: str) -> None:
    source = tmp_path / "in.mkv"
    ffmpeg("-itsoffset", "0.5", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=24:d=1", "-f", "lavfi", "-i", "sine=d=1.5",
           "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le", source)  # fmt: skip
    assert open_source(source).start == Fraction(1, 2)
    for suffix in ("mkv", "mov"):
        output = tmp_path / f"out.{suffix}"
        convert(source, output, [doubled], quiet=True)
        assert time_stamps(output)[0] == Fraction(1, 2)
        assert len(time_stamps(output)) == 48


@pytest.mark.parametrize("codec", ["libx264", "libx265 -x265-params log-level=error", "ffv1"])
def test_colour_tags_and_pixel_aspect_are_written(tmp_path: Path, each_ffmpeg: str, codec: str) -> None:
    source, output = make_video(tmp_path / "in.mp4"), tmp_path / "out.mkv"
    clip = open_source(source).stream.clip.resize.Point(format=vs.YUV420P10)
    clip = clip.std.SetFrameProps(
        _Range=1, _Matrix=9, _Primaries=9, _Transfer=16, _ChromaLocation=2, _SARNum=8, _SARDen=9
    )
    convert(source, output, [shown(clip)], encoder_arguments=f"-c:v {codec}", quiet=True)
    with av.open(str(output)) as container:
        picture = next(container.decode(video=0))
        stream = container.streams.video[0]
        assert (picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc) == (2, 9, 9, 16)
        assert stream.sample_aspect_ratio == Fraction(8, 9)
    if codec != "ffv1":
        assert open_source(output).stream.clip.get_frame(0).props["_ChromaLocation"] == 2


def test_what_the_source_leaves_open_stays_open(tmp_path: Path, each_ffmpeg: str) -> None:
    source, output = make_video(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    convert(source, output, [], quiet=True)
    with av.open(str(output)) as container:
        picture = next(container.decode(video=0))
        assert (picture.colorspace, picture.color_primaries, picture.color_trc) == (2, 2, 2)


FORMATS = [
    vs.GRAY8, vs.GRAY10, vs.GRAY16, vs.YUV420P8, vs.YUV420P10, vs.YUV420P12, vs.YUV420P16, vs.YUV422P8, vs.YUV422P10,
    vs.YUV444P8, vs.YUV444P16, vs.RGB24, vs.RGB30, vs.RGB48,
]  # fmt: skip


@pytest.mark.parametrize("wanted", FORMATS, ids=lambda value: vs.PresetVideoFormat(value).name)
@pytest.mark.parametrize("tick", [None, Fraction(1, 24000)], ids=["constant", "variable"])
def test_planes_arrive_bit_exact(tmp_path: Path, wanted: int, tick: Fraction | None) -> None:
    """Nothing is converted on the way, whatever the format, in full range, with a width that leaves padded rows."""
    source, output = make_video(tmp_path / "in.mp4", frames=5, size="100x60"), tmp_path / "out.mkv"
    matrix = {} if vs.PresetVideoFormat(wanted).name.startswith("RGB") else {"matrix": vs.MATRIX_BT709}
    clip = open_source(source).stream.clip.resize.Bicubic(
        format=wanted, matrix_in=vs.MATRIX_BT709, range_in=vs.RANGE_LIMITED, range=vs.RANGE_FULL, **matrix
    )
    convert(source, output, [shown(clip, tick)], encoder_arguments="-c:v ffv1", quiet=True)
    made = open_source(output).stream.clip
    assert made.format.id == clip.format.id
    assert pictures(made) == pictures(clip)


@pytest.mark.parametrize(
    ("wanted", "suffix", "codec"),
    [(vs.YUV420P8, "mkv", "h264"), (vs.YUV420P10, "mp4", "h264"), (vs.YUV420P12, "mkv", "hevc"),
     (vs.RGB24, "mkv", "hevc"), (vs.YUV420P16, "mkv", "ffv1"), (vs.YUV420P8, "webm", "vp9")],
)  # fmt: skip
def test_default_encoder_takes_the_format_as_it_is(
    tmp_path: Path, each_ffmpeg: str, wanted: int, suffix: str, codec: str
) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=5), tmp_path / f"out.{suffix}"
    clip = open_source(source).stream.clip.resize.Bicubic(format=wanted, matrix_in=vs.MATRIX_BT709)
    convert(source, output, [shown(clip)], quiet=True)
    made = open_source(output)
    assert made.stream.clip.format.id == wanted
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec.canonical_name == codec


@pytest.mark.parametrize("wanted", [vs.YUV420P16, vs.RGBS], ids=["16 bits into mp4", "float"])
def test_formats_that_cannot_be_encoded_are_refused(tmp_path: Path, wanted: int) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=5), tmp_path / "out.mp4"
    clip = open_source(source).stream.clip.resize.Bicubic(format=wanted, matrix_in=vs.MATRIX_BT709)
    with pytest.raises(EncoderError, match=r"cannot be encoded|no encoder"):
        convert(source, output, [shown(clip)], quiet=True)
    assert names(tmp_path) == ["in.mp4"]


def test_the_scripts_own_error_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "in.mp4"), tmp_path / "out.mkv"

    def fails_at_ten(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        if n == 10:
            raise RuntimeError("the network has caught a cold")
        return f

    def step(stream: Stream) -> Stream:
        return Stream(stream.clip.std.ModifyFrame(stream.clip, fails_at_ten), None)

    with pytest.raises(SourceError, match=r"the network has caught a cold.*\(at frame 10 of 24\)"):
        convert(source, output, [step], quiet=True)
    assert names(tmp_path) == ["in.mp4"]


def test_a_killed_encoder_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=100), tmp_path / "out.mkv"
    output.write_text("what was there before")
    killed = tmp_path / "ffmpeg"
    killed.write_text(
        '#!/bin/sh\ncase "$*" in *pipe:0*) head -c 100000 >/dev/null; kill -9 $$;; '
        f'*) exec {find_ffmpeg()} "$@";; esac\n'
    )
    killed.chmod(killed.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VS_INTERP_FFMPEG", str(killed))
    with pytest.raises(EncoderError, match="SIGKILL"):
        convert(source, output, [], overwrite=True, quiet=True)
    assert output.read_text() == "what was there before"
    assert names(tmp_path) == ["ffmpeg", "in.mp4", "out.mkv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [("-c:v nope", "Unknown encoder 'nope'"), ("-c:v libx264 -crf abc", "Error setting option crf to value abc"),
     ("-nonsense 3", "Unrecognized option 'nonsense'"), ("-c:v 'libx264", "cannot be split")],
)  # fmt: skip
def test_refused_encoder_arguments_are_told_in_ffmpegs_words(
    tmp_path: Path, each_ffmpeg: str, arguments: str, message: str
) -> None:
    source, output = make_video(tmp_path / "in.mp4"), tmp_path / "out.mkv"
    with pytest.raises((EncoderError, ArgumentError), match=message) as caught:
        convert(source, output, [], encoder_arguments=arguments, quiet=True)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["in.mp4"]


def test_last_words_skip_what_only_repeats() -> None:
    log = "[libx264 @ 0x55d] Error setting option crf to value abc.\n[out @ 0x1] [enc @ 0xab] Error while opening "
    log += "encoder - maybe incorrect parameters\nConversion failed!\n"
    assert last_words(log) == "Error setting option crf to value abc"
    assert last_words("Conversion failed!\n") == ""
    log = "[webm @ 0x56] Only VP9 is supported for WebM.\n[out#0/webm @ 0x55] Could not write header (incorrect codec "
    log += "parameters ?): Invalid argument\n"
    assert last_words(log) == "Only VP9 is supported for WebM"


def test_version_is_read_from_the_binary(each_ffmpeg: str) -> None:
    assert any(character.isdigit() for character in version(each_ffmpeg))
