"""Labels: what is where in a frame, as clips of class numbers, and a picture of them."""

from __future__ import annotations

import os

import vapoursynth as vs

from trt_build.backends import Backend
from vs_interp import label_code
from vs_interp.errors import ArgumentError

from .models import load_model, speaking_as
from .planes import Colour, check_clip
from .served import Served

core = vs.core

FULL = Colour(matrix=1, range=vs.RANGE_FULL, chroma_location=0)
"""How the numbers of a label clip are read: as they are."""


def masks(
    clip: vs.VideoNode, *, model: str | os.PathLike[str], backend: Backend | str | None = None
) -> vs.VideoNode | list[vs.VideoNode]:
    """Return what is where in each frame.

    clip
        As for :func:`super_slomo`; best at the size that the model was trained on.
    model
        A model file of ``unet49`` (one of 49 classes a pixel, see :mod:`vs_interp.label_code`) or of
        ``slot-attention``, which finds objects without being told any: its numbers mean nothing by themselves, and may
        change from frame to frame.

    The result is a GRAY8 clip whose pixels are class numbers (convert it with ``resize.Point`` alone); of a model of
    soft masks a list of GRAYS clips, one a slot, which add up to 1.
    """
    with speaking_as("masks"):
        colour = check_clip(clip)
        file = load_model(clip, model, "unet49", kinds=("labels", "mask"))
        if file.spec.window.labels or file.spec.output.times != (0.0,) * file.spec.pictures:
            raise ArgumentError(f"the model {model} makes labels of labels: that is what predict is for")
        made = Served(clip, colour, file, backend)(clip, None)
        named = [core.std.CopyFrameProps(picture, clip, props=["_DurationNum", "_DurationDen"]) for picture in made]
        return as_labels(named[0]) if file.spec.output.kind == "labels" else named


def as_labels(made: vs.VideoNode) -> vs.VideoNode:
    """Return the label clip of what a network of labels makes: GRAYS in steps of 1/255."""
    return core.resize.Point(made, format=vs.GRAY8, range_in=vs.RANGE_FULL, range=vs.RANGE_FULL)


def label_picture(clip: vs.VideoNode) -> vs.VideoNode:
    """Return a label clip (GRAY8) in colours (RGB24): those of the objects, metal bright and rubber dark.

    Class 0, the background, is nearly black; numbers beyond the classes have hues of their own.
    """
    with speaking_as("label_picture"):
        check_labels(clip)
    planes = [core.std.Lut(clip, lut=plane.tolist()) for plane in label_code.palette().T]
    return core.std.ShufflePlanes(planes, [0, 0, 0], vs.RGB)


def check_labels(clip: vs.VideoNode) -> None:
    """Raise :class:`ArgumentError` unless a clip can hold labels."""
    check_clip(clip)
    if clip.format.id != vs.GRAY8:
        raise ArgumentError(f"the clip is {clip.format.name}: labels are GRAY8, as masks returns them")
