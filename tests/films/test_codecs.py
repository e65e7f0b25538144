"""What a person says of the encoding becomes ffmpeg's options, and is refused in words where it cannot be."""

from __future__ import annotations

import pytest
import vapoursynth as vs

from vs_interp.errors import ArgumentError
from vs_interp.films.codecs import Choice, choose_codec
from vs_interp.films.ffmpeg import find_ffmpeg


def clip(video: int = vs.YUV420P8) -> vs.VideoNode:
    return vs.core.std.BlankClip(width=64, height=48, format=video, length=1)


def arguments(choice: Choice, *, container: str = "matroska", video: int = vs.YUV420P8) -> str:
    return " ".join(choose_codec(find_ffmpeg(), container, clip(video), choice).arguments)


def test_arguments_are_added_and_win() -> None:
    assert arguments(Choice(arguments=("-tune", "animation"))) == "-c:v libx264 -crf 16 -preset medium -tune animation"
    assert arguments(Choice(quality=20.5, preset="slow")) == "-c:v libx264 -crf 20.5 -preset slow"


def test_an_encoder_in_the_arguments_gets_its_own_defaults() -> None:
    chosen = arguments(Choice(arguments=("-c:v", "libx265", "-crf", "28")), container="mp4")
    assert chosen.startswith("-c:v libx265 -crf 17 -preset medium -tag:v hvc1")
    assert "-crf 28" in chosen
    assert arguments(Choice(arguments=("-c:v", "utvideo"))) == "-c:v utvideo -c:v utvideo"


def test_frames_stay_in_order_where_only_the_time_of_decoding_is_written() -> None:
    """Players show the frames of an AVI in the order in which they are stored, or guess."""
    assert arguments(Choice(), container="avi").endswith("-preset medium -bf 0")
    assert arguments(Choice(arguments=("-bf", "2")), container="avi").endswith("-bf 0 -bf 2")
    assert "-bf" not in arguments(Choice())


def test_program_streams_want_an_encoder_by_name() -> None:
    for choice in (Choice(), Choice(codec="h264")):
        with pytest.raises(ArgumentError, match="program streams hold MPEG-2"):
            arguments(choice, container="vob")
    assert "mpeg2video" in arguments(Choice(arguments=("-c:v", "mpeg2video")), container="vob")


def test_parameters_of_x265_are_joined() -> None:
    """ffmpeg takes the last alone, and the light levels of an HDR film would be lost with the others."""
    for option in ("-x265-params", "-x265-params:v"):
        chosen = arguments(Choice(codec="h265", arguments=(option, "aq-mode=3")))
        assert chosen.endswith("-x265-params log-level=error:aq-mode=3") and chosen.count("-x265-params") == 1


def test_what_a_change_of_format_loses_is_said() -> None:
    for video, choice, said in (
        (vs.YUV422P10, Choice(), "YUV422P10 becomes YUV420P10, which most players can play; --codec keeps more"),
        (vs.YUV420P16, Choice(), "YUV420P16 becomes YUV420P10"),
        (vs.YUV444P8, Choice(codec="av1"), "YUV444P8 becomes YUV420P8, the closest that av1 can encode"),
        (vs.YUV420P8, Choice(codec="prores"), ""),
        (vs.GRAY8, Choice(), ""),
    ):
        assert said in "".join(choose_codec(find_ffmpeg(), "matroska", clip(video), choice).notes)
        assert said or not choose_codec(find_ffmpeg(), "matroska", clip(video), choice).notes


@pytest.mark.parametrize(("name", "kind"), [("HDR10Plus", "HDR10+"), ("DolbyVisionRPU", "Dolby Vision")])
def test_metadata_for_single_scenes_is_lost_and_said(name: str, kind: str) -> None:
    """These are the frame properties that BestSource sets."""
    chosen = choose_codec(find_ffmpeg(), "matroska", clip(vs.YUV420P10).std.SetFrameProps(**{name: b"x"}), Choice())
    assert chosen.notes == (f"the film's {kind} metadata is left out",)


@pytest.mark.parametrize(
    ("choice", "container", "told"),
    [
        (Choice(codec="prores"), "mp4", "prores does not go into mp4"),
        (Choice(codec="h264"), "webm", "h264 does not go into webm"),
        (Choice(codec="ffv1", quality=3), "matroska", "no quality to choose"),
        (Choice(codec="ffv1", preset="slow"), "matroska", "no presets"),
        (Choice(quality=90), "matroska", r"--quality is 90: libx264 takes 0 \(best\) to 51"),
        (Choice(preset="quick"), "matroska", "--preset is quick: libx264 has ultrafast"),
        (Choice(codec="h264", arguments=("-c:v", "libx265")), "matroska", "give one of them"),
        (Choice(arguments=("-c:v", "copy")), "matroska", "cannot be copied"),
    ],
)
def test_what_an_encoder_does_not_have_is_refused(choice: Choice, container: str, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        choose_codec(find_ffmpeg(), container, clip(), choice)
