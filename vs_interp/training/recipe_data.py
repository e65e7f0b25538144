"""The tables of a recipe that describe its data: sources, augmentation, batches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _some(shares: Mapping[int, float]) -> Mapping[int, float]:
    if not any(shares.values()):
        raise ValueError("all shares are 0: give a larger one")
    return shares


def _rising(part: tuple[float, float]) -> tuple[float, float]:
    if part[0] >= part[1]:
        raise ValueError("the part is empty: give its beginning and its end, such as [0.0, 0.95]")
    return part


Share = Annotated[float, Field(ge=0)]
"""A weight relative to others."""
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]
Part = Annotated[tuple[Fraction, Fraction], AfterValidator(_rising)]
"""The beginning and the end of a range of frames, as fractions of all."""
Split = Literal["train", "validation", "test"]


class Table(BaseModel):
    """A table of the recipe, in which unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(Table):
    """A source of samples: footage, or synthetic scenes made from photographs and sprites.

    footage, split
        The address of a data set (``vimeo-septuplet:FOLDER``, ``video:FILE``, …), and its split.
    photos, sprites
        Instead of footage, two folders of pictures, the second with alpha, for scenes of exactly known flow and
        occlusion.
    share
        How often the source is drawn, relative to the others.
    part
        The range of its frames whose windows are used: (0, 0.95) leaves the end for validation.
    gaps
        Distance in frames between the inputs of a window → how often it is drawn, relative to the others.  For networks
        that take a time; the windows of others follow from their spec.
    shrinks
        By what factor a larger crop or scene is shrunk → how often, relative to the others.
    still
        Share of the windows whose frames are all made the same picture.
    choices
        This many random crops are tried, and the one with most motion is taken.
    reach
        Largest motion from time 0 to 1 of a scene's background and of its sprites, in pixels before it is shrunk.
    patterns
        Number of grids, stripes, checks and dots drawn to be backgrounds of scenes in addition to the photographs.
    """

    footage: str | None = None
    split: Split = "train"
    photos: Path | None = None
    sprites: Path | None = None
    share: Share = 1.0
    part: Part = (0.0, 1.0)
    gaps: Annotated[dict[Annotated[int, Field(ge=2)], Share], AfterValidator(_some)] = {2: 1.0}
    shrinks: Annotated[dict[Count, Share], AfterValidator(_some)] = {1: 1.0}
    still: Fraction = 0.0
    choices: Count = 1
    reach: tuple[Share, Share] = (40.0, 60.0)
    patterns: Number = 0

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.footage is None) == (self.photos is None or self.sprites is None):
            raise ValueError("give footage =, or photos = and sprites =")
        return self


class Variation(Table):
    """Augmentation of samples, the same for all frames of a window.

    mirror, reverse, turn, colours
        Whether to mirror pictures, reverse time, swap rows and columns (of square crops), and shuffle the channels.
    gamma, gain, offset
        Spread of log gamma; lowest gain; largest offset, of a range of 1.
    noise
        Largest standard deviation of the noise added to the inputs, in 8-bit codes.
    """

    mirror: bool = True
    reverse: bool = True
    turn: bool = False
    colours: bool = True
    gamma: Share = 0.2
    gain: Annotated[float, Field(gt=0, le=1)] = 0.8
    offset: Fraction = 0.05
    noise: Annotated[float, Field(ge=0, le=255)] = 4.0


class Data(Table):
    """The data of a run.

    source
        Where samples come from.
    batch
        Samples in a batch, in all processes together.
    crop
        Width and height of a sample at the output's size: multiples of what the network takes, times its scale.
    margin
        Pixels at the edges of a made picture that the losses ignore, since they depend on pixels outside the crop.
    teacher
        A RIFE checkpoint whose flows the network is to follow where the teacher's picture is the better one.
    workers
        Processes that read the samples and, for training on a CPU, make the batches; by default by the cores.
    variation
        Augmentation.
    """

    source: Annotated[tuple[Source, ...], Field(min_length=1)]
    batch: Count
    crop: tuple[Count, Count]
    margin: Number = 0
    teacher: Path | None = None
    workers: Number | None = None
    variation: Variation = Variation()

    @model_validator(mode="after")
    def _some_is_drawn(self) -> Self:
        if not any(source.share for source in self.source):
            raise ValueError("all sources have the share 0: give one of them a larger share")
        if 2 * self.margin >= min(self.crop):
            raise ValueError(f"a margin of {self.margin} leaves nothing of the crop {list(self.crop)}: make it smaller")
        return self
