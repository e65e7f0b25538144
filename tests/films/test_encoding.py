"""Encoders: pictures arrive bit by bit with their colours, and what cannot be encoded is said in ffmpeg's words."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import vapoursynth as vs
from av.sidedata.sidedata import Type

from tests.clips import pictures, same
from tests.films.whole import Step, convert
from tests.support import names
from tests.video import ffmpeg, make_video
from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.films.codecs import Choice, split_arguments
from vs_interp.films.encoding import Encoding
from vs_interp.films.ffmpeg import error_in, version
from vs_interp.films.source import Stream, open_source


def shown(clip: vs.VideoNode, tick: Fraction | None = None) -> Step:
    """Return the step that puts another clip in the source's place."""
    return lambda stream: Stream(clip, tick)


@pytest.mark.parametrize("codec", ["libx264", "libx265 -x265-params log-level=error", "ffv1"])
def test_colour_tags_and_pixel_aspect_are_written(tmp_path: Path, each_ffmpeg: str, codec: str) -> None:
    source, output = make_video(tmp_path / "in.mp4"), tmp_path / "out.mkv"
    clip = open_source(source).stream.clip.resize.Point(format=vs.YUV420P10)
    clip = clip.std.SetFrameProps(
        _Range=1, _Matrix=9, _Primaries=9, _Transfer=16, _ChromaLocation=2, _SARNum=8, _SARDen=9
    )
    convert(source, output, [shown(clip)], choice=Choice(arguments=("-c:v", *codec.split())))
    with av.open(str(output)) as container:
        picture = next(container.decode(video=0))
        stream = container.streams.video[0]
        assert (picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc) == (2, 9, 9, 16)
        assert stream.sample_aspect_ratio == Fraction(8, 9)
    if codec != "ffv1":
        assert open_source(output).stream.clip.get_frame(0).props["_ChromaLocation"] == 2


def test_what_the_source_leaves_open_stays_open(tmp_path: Path, each_ffmpeg: str) -> None:
    source, output = make_video(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    convert(source, output, [])
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
    convert(source, output, [shown(clip, tick)], choice=Choice(codec="ffv1"))
    made = open_source(output).stream.clip
    assert made.format.id == clip.format.id
    assert all(same(*pair) for pair in zip(pictures(made), pictures(clip), strict=True))


@pytest.mark.parametrize(
    ("wanted", "suffix", "expected"),
    [(vs.YUV420P8, "mkv", ("h264", vs.YUV420P8)), (vs.YUV420P10, "mp4", ("hevc", vs.YUV420P10)),
     (vs.YUV420P12, "mkv", ("hevc", vs.YUV420P10)), (vs.YUV422P10, "mov", ("hevc", vs.YUV420P10)),
     (vs.YUV420P16, "mp4", ("hevc", vs.YUV420P10)), (vs.YUV420P8, "webm", ("vp9", vs.YUV420P8)),
     (vs.GRAY8, "mp4", ("h264", vs.YUV420P8))],
)  # fmt: skip
def test_default_encoding_is_what_players_play(
    tmp_path: Path, each_ffmpeg: str, wanted: int, suffix: str, expected: tuple[str, int]
) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=5), tmp_path / f"out.{suffix}"
    clip = open_source(source).stream.clip.resize.Bicubic(format=wanted, matrix_in=vs.MATRIX_BT709)
    convert(source, output, [shown(clip)])
    codec, made = expected
    assert open_source(output).stream.clip.format.id == made
    with av.open(str(output)) as container:
        video = container.streams.video[0]
        assert video.codec.canonical_name == codec
        if suffix in ("mp4", "mov") and codec == "hevc":
            assert video.codec_context.codec_tag == "hvc1", "Apple's players know no other"


@pytest.mark.parametrize(
    ("wanted", "codec", "suffix", "pixels"),
    [(vs.YUV422P8, "h264", "mkv", "yuv422p"), (vs.YUV422P10, "h265", "mp4", "yuv422p10le"),
     (vs.YUV420P12, "h265", "mkv", "yuv420p12le"), (vs.RGB24, "h265", "mkv", "gbrp"),
     (vs.RGB24, "h264", "mp4", "yuv444p"), (vs.YUV420P8, "prores", "mov", "yuv422p10le"),
     (vs.YUV444P8, "prores", "mov", "yuv444p12le"), (vs.RGB48, "ffv1", "mkv", "gbrp16le"),
     (vs.YUV420P16, "vp9", "webm", "yuv420p12le"), (vs.YUV420P10, "av1", "mp4", "yuv420p10le")],
)  # fmt: skip
def test_a_codec_that_is_asked_for_keeps_what_it_can(
    tmp_path: Path, wanted: int, codec: str, suffix: str, pixels: str
) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=3, size="128x64"), tmp_path / f"out.{suffix}"
    clip = open_source(source).stream.clip.resize.Bicubic(format=wanted, matrix_in=vs.MATRIX_BT709)
    convert(source, output, [shown(clip)], choice=Choice(codec=codec))
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == pixels


@pytest.mark.parametrize(
    ("wanted", "size", "suffix", "pixels"),
    [(vs.RGB24, "100x60", "mp4", "yuv420p"), (vs.RGB24, "101x61", "mp4", "yuv444p"),
     (vs.RGB48, "100x60", "mov", "yuv420p10le"), (vs.RGB24, "100x60", "webm", "yuv420p")],
)  # fmt: skip
def test_rgb_becomes_what_players_play(tmp_path: Path, wanted: int, size: str, suffix: str, pixels: str) -> None:
    """A GIF's frames are RGB, and hardly a player plays RGB in an MP4.  The colours are those of the source."""
    source, output = make_video(tmp_path / "in.mp4", frames=3), tmp_path / f"out.{suffix}"
    width, height = map(int, size.split("x"))
    clip = open_source(source).stream.clip.resize.Bicubic(width, height, format=wanted, matrix_in=vs.MATRIX_BT709)
    convert(source, output, [shown(clip)])
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == pixels
    for plane in range(3):
        colours = (made.resize.Bicubic(format=vs.RGB48) for made in (open_source(output).stream.clip, clip))
        after, before = (each.std.PlaneStats(plane=plane).get_frame(1).props["PlaneStatsAverage"] for each in colours)
        assert after == pytest.approx(before, abs=0.01)


LIGHT = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("h265", "mkv"), ("h265", "mp4"), ("h265", "mov"), ("h264", "mp4"), ("av1", "mkv"), ("av1", "mp4")],
)
def test_hdr10_arrives_with_its_mastering_display_and_light_levels(
    tmp_path: Path, each_ffmpeg: str, codec: str, suffix: str
) -> None:
    source, output = make_hdr(tmp_path / "in.mkv"), tmp_path / f"out.{suffix}"
    convert(source, output, [], choice=Choice(codec=codec))
    before, after = (light(file) for file in (source, output))
    assert len(before) == 14, "x and y of three colours and white, two luminances, two flags, two light levels"
    assert after == pytest.approx(before, abs=1e-4), "AV1 rounds to 2^-16 and 2^-14"
    with av.open(str(output)) as container:
        picture = next(container.decode(video=0))
        assert (picture.colorspace, picture.color_primaries, picture.color_trc) == (9, 9, 16)


@pytest.mark.parametrize(
    ("codec", "suffix", "better"),
    [("vp9", "mkv", "h265"), ("prores", "mov", "h265"), ("ffv1", "mkv", "h265"), ("vp9", "webm", "av1")],
)
def test_hdr_metadata_that_is_lost_is_told(tmp_path: Path, codec: str, suffix: str, better: str) -> None:
    """And the codec that keeps it, which the container holds."""
    source, output = open_source(make_hdr(tmp_path / "in.mkv")), tmp_path / f"out.{suffix}"
    (told,) = Encoding.prepare(source, source.stream, output, Choice(codec=codec)).notes
    assert told.startswith("HDR10's mastering display and light levels are left out")
    assert told.endswith(f"--codec {better} does")
    assert Encoding.prepare(source, source.stream, output, Choice(codec=better)).notes == ()


def test_a_container_that_keeps_no_hdr_metadata_sends_to_another(tmp_path: Path) -> None:
    source, mpeg = open_source(make_hdr(tmp_path / "in.mkv")), Choice(arguments=("-c:v", "mpeg2video"))
    told = Encoding.prepare(source, source.stream, tmp_path / "out.vob", mpeg).notes
    assert any(note.endswith("mpeg2video does not write them: --codec h265 in .mkv does") for note in told)


def make_hdr(path: Path) -> Path:
    """Write a film with HDR10's metadata."""
    pixels = "testsrc2=s=128x64:r=24:d=0.2,format=yuv420p10"
    pixels += ",setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"  # newer ones want this
    tags = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"]  # older ones this
    ffmpeg("-f", "lavfi", "-i", pixels, *tags, "-c:v", "libx265", "-x265-params", f"log-level=error:{LIGHT}", path)
    return path


def light(file: Path) -> list[float]:
    """Return what lies beside the first picture: the numbers of libav's AVMasteringDisplayMetadata and light levels."""
    with av.open(str(file)) as container:
        beside = next(container.decode(video=0)).side_data
        display, levels = (
            np.frombuffer(bytes(beside[kind]), np.int32).tolist()
            for kind in (Type.MASTERING_DISPLAY_METADATA, Type.CONTENT_LIGHT_LEVEL)
        )
    fractions = [above / below for above, below in itertools.batched(display[:20], 2)]
    return [*fractions, *display[20:22], *levels[:2]]


def test_floats_cannot_be_encoded(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=5), tmp_path / "out.mp4"
    clip = open_source(source).stream.clip.resize.Bicubic(format=vs.RGBS, matrix_in=vs.MATRIX_BT709)
    with pytest.raises(EncoderError, match="cannot be encoded"):
        convert(source, output, [shown(clip)])
    assert names(tmp_path) == ["in.mp4"]


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
        convert(source, output, [], choice=Choice(arguments=split_arguments(arguments, "--encoder-args")))
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["in.mp4"]


def test_the_error_in_a_log_is_the_last_line_that_repeats_no_other() -> None:
    log = "[libx264 @ 0x55d] Error setting option crf to value abc.\n[out @ 0x1] [enc @ 0xab] Error while opening "
    log += "encoder - maybe incorrect parameters\nConversion failed!\n"
    assert error_in(log) == "Error setting option crf to value abc"
    assert error_in("Conversion failed!\n") == ""
    log = "[webm @ 0x56] Only VP9 is supported for WebM.\n[out#0/webm @ 0x55] Could not write header (incorrect codec "
    log += "parameters ?): Invalid argument\n"
    assert error_in(log) == "Only VP9 is supported for WebM"


def test_version_is_read_from_the_binary(each_ffmpeg: str) -> None:
    assert any(character.isdigit() for character in version(each_ffmpeg))
