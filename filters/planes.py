"""A clip's planes: what they hold, and the way to RGB and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import vapoursynth as vs

from trt_build.profile import PlaneFormat, Profile, Siting
from vs_interp.errors import ArgumentError
from vs_interp.films.caches import passing
from vs_interp.matrices import Matrix

core = vs.core

SMALLEST = 16

INTERLACED = (
    "is interlaced (_FieldBased is set): deinterlace the clip first (bwdif, QTGMC; convert --deinterlace), or where "
    "that is wrong, std.SetFieldBased(0) (convert --assume-progressive)"
)
UNSPECIFIED = 2
BT601, BT709 = 6, 1
LINEAR_MATRICES = (1, 4, 5, 6, 7, 8, 9)
"""YUV that can be converted whatever its transfer; BT.2020 with constant luminance or ICtCp, say, cannot."""
MATRICES: dict[int, Matrix] = {1: "709", 5: "601", 6: "601", 9: "2020"}
SITINGS: dict[int, Siting] = {0: "left", 1: "center", 2: "top_left"}
FAMILIES: dict[int, Literal["rgb", "yuv", "gray"]] = {vs.RGB: "rgb", vs.YUV: "yuv", vs.GRAY: "gray"}


@dataclass(frozen=True)
class Colour:
    """How the clip's numbers mean colour, as VapourSynth's codes, with defaults where its frames do not say."""

    matrix: int
    range: int
    chroma_location: int


def check_clip(clip: vs.VideoNode) -> Colour:
    """Look at the clip and its first frame.  Raises :class:`ArgumentError` where it cannot be worked on."""
    check_samples(clip)
    if clip.format.subsampling_w > 1 or clip.format.subsampling_h > clip.format.subsampling_w:
        raise ArgumentError(f"the format {clip.format.name} is not supported: convert to 4:2:0, 4:2:2 or 4:4:4")
    if min(clip.width, clip.height) < SMALLEST:
        raise ArgumentError(f"the clip is {clip.width}x{clip.height}: it must be at least {SMALLEST}x{SMALLEST}")
    with clip.get_frame(0) as frame:
        props = dict(frame.props)
    if props.get("_FieldBased", 0):
        raise ArgumentError(f"frame 0 {INTERLACED}")
    return _colour(clip, props)


def check_samples(clip: vs.VideoNode) -> None:
    """Raise :class:`ArgumentError` unless it is a clip of one size and format, of samples that can be read."""
    if not isinstance(clip, vs.VideoNode):
        raise ArgumentError(f"the first argument is {type(clip).__name__}, not a clip")
    if clip.format is None or clip.format.id == 0 or clip.width == 0:
        raise ArgumentError("the clip's format or size varies: make it constant first, e.g. with core.resize.Bicubic")
    depth, floating = clip.format.bits_per_sample, clip.format.sample_type == vs.FLOAT
    if depth not in ((16, 32) if floating else range(8, 17)):
        raise ArgumentError(f"the format {clip.format.name} is not supported: convert to 8-16 bits, half or float")


def _colour(clip: vs.VideoNode, props: dict[str, object]) -> Colour:
    def code(name: str, default: int, unspecified: int | None = None) -> int:
        value = props.get(name, default)
        known = isinstance(value, int) and value != unspecified
        return int(value) if known else default  # type: ignore[call-overload]

    if clip.format.color_family == vs.RGB:
        return Colour(matrix=0, range=code("_Range", vs.RANGE_FULL), chroma_location=0)
    small = clip.width <= 1024 and clip.height <= 576
    matrix = code("_Matrix", BT601 if small else BT709, UNSPECIFIED)
    if matrix == 0:
        matrix = BT601 if small else BT709
    if matrix not in LINEAR_MATRICES:
        raise ArgumentError(f"the matrix (_Matrix) is {matrix}, which is not supported: convert to BT.709 or BT.2020")
    return Colour(matrix, code("_Range", vs.RANGE_LIMITED), code("_ChromaLocation", 0))


def plane_format(clip: vs.VideoNode, colour: Colour) -> PlaneFormat:
    """Return the clip's format in the engine builder's words.  Raises :class:`ArgumentError` for rare matrices."""
    family = FAMILIES[clip.format.color_family]
    if family != "rgb" and colour.matrix not in MATRICES:
        raise ArgumentError(
            f"the matrix {colour.matrix} cannot be worked on by the engine: convert to BT.709 or BT.2020"
        )
    if colour.chroma_location not in SITINGS:
        raise ArgumentError(
            f"the chroma location {colour.chroma_location} is not supported: convert to left or top-left"
        )
    return PlaneFormat(
        family=family,
        bits=clip.format.bits_per_sample,
        floating=clip.format.sample_type == vs.FLOAT,
        subsampling=(clip.format.subsampling_w, clip.format.subsampling_h),
        matrix=MATRICES.get(colour.matrix, "709"),
        full_range=colour.range == vs.RANGE_FULL,
        siting=SITINGS[colour.chroma_location],
    )


def profile_of(clip: vs.VideoNode) -> Profile:
    """Return what an engine for a clip is made for.  Raises :class:`ArgumentError` where no filter takes the clip."""
    return Profile(width=clip.width, height=clip.height, planes=plane_format(clip, check_clip(clip)))


def to_rgb(clip: vs.VideoNode, colour: Colour) -> vs.VideoNode:
    """Return the clip as RGB in float32, [0, 1], chroma enlarged by Catmull-Rom; the transfer stays as it is."""
    clip = passing(
        core.std.SetFrameProps(clip, _Matrix=colour.matrix)
    )  # one that contradicts the format is refused by resize
    if clip.format.color_family == vs.RGB:
        return core.resize.Bicubic(clip, format=vs.RGBS, range_in=colour.range, range=vs.RANGE_FULL)
    located = {"chromaloc_in": colour.chroma_location} if clip.format.subsampling_w else {}
    return core.resize.Bicubic(
        clip, format=vs.RGBS, matrix_in=colour.matrix, range_in=colour.range, range=vs.RANGE_FULL, **located
    )


def from_rgb(clip: vs.VideoNode, like: vs.VideoNode, colour: Colour) -> vs.VideoNode:
    """Return an RGB float32 clip in the format, matrix, range and chroma location of ``like``."""
    if like.format.color_family == vs.RGB:
        return core.resize.Bicubic(clip, format=like.format.id, range=colour.range)
    located = {"chromaloc": colour.chroma_location} if like.format.subsampling_w else {}
    return core.resize.Bicubic(clip, format=like.format.id, matrix=colour.matrix, range=colour.range, **located)
