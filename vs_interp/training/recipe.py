"""A recipe: all that decides a training run, key by key, with what each may be (:mod:`.recipe_file` reads one)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _some(shares: Mapping[int, float]) -> Mapping[int, float]:
    if not any(shares.values()):
        raise ValueError("all shares are 0: give one that is larger")
    return shares


def _rising(part: tuple[float, float]) -> tuple[float, float]:
    if part[0] >= part[1]:
        raise ValueError("the part is empty: give its beginning and its end, such as [0.0, 0.95]")
    return part


Share = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]
Start = Path | Annotated[tuple[Path, ...], Field(min_length=1)] | Annotated[dict[str, Path], Field(min_length=1)] | None
Part = Annotated[tuple[Fraction, Fraction], AfterValidator(_rising)]
Split = Literal["train", "validation", "test"]


class Table(BaseModel):
    """A table of the recipe: what it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(Table):
    """Where a share of the samples comes from: footage, or scenes made of photographs and sprites.

    footage, split
        The address of a data set (``vimeo-septuplet:FOLDER``, ``video:FILE``, …) and which part of it.
    photos, sprites
        Two folders of pictures instead, the second with alpha: synthetic motion with exact flow and occlusion.
    share
        How often it is drawn, relative to the other sources.
    part
        The range of its frames, in order, whose windows are used: (0, 0.95) leaves the end for validation.
    gaps
        Frames from one input of a window to the next, and how often (relative) each is drawn, for networks that take a
        time; the windows of others follow from their spec.
    shrinks
        How many times a crop is shrunk, and how often (relative); scenes are drawn as many times larger.
    still
        Share of its windows whose frames are all the same picture.
    choices
        Of so many random crops the one with most motion is taken.
    reach
        Pixels that background and sprites of a scene move at most from time 0 to 1, before it is shrunk; what moves by
        none stands still.
    patterns
        How many grids, stripes, checks and dots are drawn to be backgrounds of scenes beside the photographs.
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
    """By how much samples are varied, the same for all frames of a window.

    mirror, reverse, turn, colours
        Whether pictures are mirrored, time is reversed, rows become columns (square crops), channels are shuffled.
    gamma, gain, offset
        Spread of log gamma; lowest gain; largest offset.
    noise
        Largest strength of sensor noise on the inputs, in codes of 255.
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
    """What a batch is made of: ``batch`` samples of ``crop`` (width, height at the output's size) from the sources.

    The sides of a crop are multiples of what the network takes, times its scale.
    ``margin`` pixels at the edges of a made picture are not judged: they miss what lies beyond the crop.
    ``teacher`` is a RIFE checkpoint whose flows pull the flows of the network, where its picture is better.
    ``workers`` are processes that read and, for training on a CPU, make the samples: by default as the cores allow.
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
            raise ValueError("all sources have a share of 0: give one that is larger")
        if 2 * self.margin >= min(self.crop):
            raise ValueError(f"a margin of {self.margin} leaves nothing of the crop {list(self.crop)}: make it smaller")
        return self


class Validation(Table):
    """What checkpoints are judged by: ``windows`` of a data set, evenly chosen, every ``every`` steps.

    They share no frame with what is trained on: give ``part`` where the data set has no splits.

    ``patience`` validations without a better PSNR end the run; 0: never.
    """

    footage: str
    split: Split = "validation"
    part: Part = (0.0, 1.0)
    gap: Annotated[int, Field(ge=2)] = 2
    windows: Count = 32
    every: Count = 500
    patience: Number = 0


class Schedule(Table):
    """How the learning rate goes.

    kind
        ``cosine``: half a cosine from the full rate to ``floor`` of it; ``multi-step``: times ``factor`` at each of
        ``milestones``; ``plateau``: times ``factor`` after ``patience`` validations without a better PSNR, and a pause
        of ``cooldown``, not under ``minimum``; ``one-cycle``: in lines from a 25th up to the full rate, which the last
        step of the warm-up has, and down to ``floor`` of it (Smith 2018, arXiv:1708.07120; RAFT's); ``constant``.
    warmup
        Steps in which the rate first rises to the full one; not with ``plateau``.
    """

    kind: Literal["cosine", "one-cycle", "multi-step", "plateau", "constant"] = "cosine"
    warmup: Number = 300
    floor: Fraction = 0.01
    milestones: tuple[Count, ...] = ()
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Number = 10
    cooldown: Number = 0
    minimum: Share = 0.0

    @model_validator(mode="after")
    def _milestones_rise(self) -> Self:
        if any(first >= second for first, second in pairwise(self.milestones)):
            raise ValueError(f"the milestones {list(self.milestones)} do not rise: give them in order")
        return self


class Training(Table):
    """How the weights are found.

    minutes
        How long the run may take, validations left out: a cosine then falls by the clock where that is further than the
        steps, and the run ends with the time.  Such a run is not the same twice.
    precision
        ``fp32``, ``bf16`` (autocast) or ``fp16`` (autocast with gradient scaling); the last ``exact_steps`` are fp32.
    average
        Decay a step of the moving average of the weights; the average is what is validated and exported.
    clip
        Largest norm of the gradient.
    start
        A checkpoint or model file whose weights are the first ones, or the name of one (``vs-interp weights list``,
        bundled ones too); a list of them, of whose weights the mean is taken (Wortsman et al. 2022, arXiv:2203.05482);
        or a table of parts
        of the network (module names) and theirs, where a list of modules begins with the same weights in each.  A
        recipe stands for its run's last weights, and is trained first where they are not there
        (:mod:`vs_interp.training.stages`).
    frozen
        Parts of the network (module names) whose weights stay what they were begun with.
    compile
        Compile network and losses for the training device (``torch.compile``); see docs/training.md on what it costs.
    keep
        How many of the last checkpoints stay, besides the best.
    """

    steps: Count
    minutes: Annotated[float, Field(gt=0)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Share = 0.0
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    exact_steps: Number = 0
    average: Annotated[float, Field(ge=0, lt=1)] = 0.999
    clip: Annotated[float, Field(gt=0)] = 1.0
    start: Start = None
    frozen: tuple[str, ...] = ()
    threads: Number = 0
    compile: bool = False
    save_every: Count = 500
    keep: Count = 3


class Recipe(Table):
    """All that decides a run.

    ``network`` holds the registry's ``name`` and the configuration; without it the network is that of the weights
    that ``training.start`` names.  ``losses`` are what each loss weighs; ``perceptual`` is where VGG16's weights are,
    for the loss of that name; ``text`` is the recipe as TOML.
    """

    network: dict[str, Any] = {}
    data: Data
    losses: Annotated[dict[str, Share], Field(min_length=1)]
    training: Training
    schedule: Schedule = Schedule()
    validation: Validation | None = None
    perceptual: Path | None = None
    text: Annotated[str, Field(repr=False)]

    def beginning_with(self, start: Start) -> Recipe:
        """Return the same recipe with another ``training.start``."""
        return self.model_copy(update={"training": self.training.model_copy(update={"start": start})})

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.schedule.kind == "plateau" and self.validation is None:
            raise ValueError("the schedule is plateau, which needs a [validation]")
        if self.schedule.kind == "plateau" and self.schedule.warmup and "warmup" in self.schedule.model_fields_set:
            raise ValueError("schedule.warmup does not go with a plateau: leave it out")
        if not any(self.losses.values()):
            raise ValueError("all losses weigh 0: give one that weighs more")
        if not self.network and not isinstance(self.training.start, Path | tuple):
            raise ValueError("there is no [network]: give one, or name the weights to begin with (training.start)")
        return self
