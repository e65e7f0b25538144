"""A recipe: all that decides a training run, read from TOML and checked before anything starts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vs_interp.errors import ArgumentError
from vs_interp.registry import network_class

Share = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Start = Path | tuple[Path, ...] | dict[str, Path] | None
Part = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]


class Table(BaseModel):
    """A table of the recipe: what it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Table):
    """Where a share of the samples comes from: footage, or scenes made of photographs and sprites.

    footage, split
        The address of a data set (``vimeo-septuplet:FOLDER``, ``video:FILE``, …) and which part of it.
    photos, sprites
        Two folders of pictures instead, the second with alpha: synthetic motion with exact flow and occlusion.
    share
        How often it is drawn, relative to the other sources.
    part
        The range of its windows, in order, that is used: (0, 0.95) leaves the end for validation.
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
    split: str = "train"
    photos: Path | None = None
    sprites: Path | None = None
    share: Share = 1.0
    part: Part = (0.0, 1.0)
    gaps: dict[Annotated[int, Field(ge=2)], Share] = {2: 1.0}
    shrinks: dict[int, Share] = {1: 1.0}
    still: Share = 0.0
    choices: Count = 1
    reach: tuple[Share, Share] = (40.0, 60.0)
    patterns: Annotated[int, Field(ge=0)] = 0

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
    gamma: float = 0.2
    gain: float = 0.8
    offset: float = 0.05
    noise: float = 4.0


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
    margin: int = 0
    teacher: Path | None = None
    workers: int | None = None
    variation: Variation = Variation()


class Validation(Table):
    """What checkpoints are judged by: ``windows`` of a data set, evenly chosen, every ``every`` steps.

    ``patience`` validations without a better PSNR end the run; 0: never.
    """

    footage: str
    split: str = "validation"
    part: Part = (0.0, 1.0)
    gap: Count = 2
    windows: Count = 32
    every: Count = 500
    patience: int = 0


class Schedule(Table):
    """How the learning rate goes.

    kind
        ``cosine``: half a cosine from the full rate to ``floor`` of it; ``multi-step``: times ``factor`` at each of
        ``milestones``; ``plateau``: times ``factor`` after ``patience`` validations without a better PSNR, and a pause
        of ``cooldown``, not under ``minimum``; ``constant``.
    warmup
        Steps in which the rate first rises to the full one; not with ``plateau``.
    """

    kind: Literal["cosine", "multi-step", "plateau", "constant"] = "cosine"
    warmup: int = 300
    floor: float = 0.01
    milestones: tuple[int, ...] = ()
    factor: float = 0.1
    patience: int = 10
    cooldown: int = 0
    minimum: float = 0.0


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
        A checkpoint or model file whose weights are the first ones, or the name of one (``vs-interp weights list``); a
        list of them, of whose weights the mean is taken (Wortsman et al. 2022, arXiv:2203.05482); or a table of parts
        of the network (module names) and theirs, where a list of modules begins with the same weights in each.  A
        recipe stands for its run's last weights, and is trained first where they are not there
        (:mod:`vs_interp.training.stages`).
    frozen
        Parts of the network (module names) whose weights stay what they were begun with.
    compile
        Compile network and losses for the GPU (``torch.compile``): a minute at the start, then faster steps.
    keep
        How many of the last checkpoints stay, besides the best.
    """

    steps: Count
    minutes: Annotated[float, Field(gt=0)] | None = None
    seed: int = 0
    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: float
    weight_decay: float = 0.0
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    exact_steps: int = 0
    average: float = 0.999
    clip: float = 1.0
    start: Start = None
    frozen: tuple[str, ...] = ()
    threads: int = 0
    compile: bool = False
    save_every: Count = 500
    keep: Count = 3


class Recipe(Table):
    """All that decides a run.

    ``network`` holds the registry's ``name`` and the configuration; ``losses`` what each loss weighs;
    ``perceptual`` is where VGG16's weights are, for the loss of that name; ``text`` is the recipe itself.
    """

    network: dict[str, Any]
    data: Data
    losses: Annotated[dict[str, float], Field(min_length=1)]
    training: Training
    schedule: Schedule = Schedule()
    validation: Validation | None = None
    perceptual: Path | None = None
    text: str = ""

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a recipe.  Raises :class:`ArgumentError` that names the file and the key that is wrong."""
        try:
            text = path.read_text(encoding="utf-8")
            values = tomllib.loads(text)
        except OSError as error:
            raise ArgumentError(f"the recipe {path} cannot be read ({error.strerror}): name a .toml file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ArgumentError(f"the recipe {path} is no TOML ({error}): mend it") from error
        try:
            recipe = cls.model_validate({**values, "text": text})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "recipe"
            raise ArgumentError(
                f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}: mend the recipe"
            ) from error
        network_class(str(recipe.network.get("name")))
        return recipe

    def beginning_with(self, start: Start) -> Recipe:
        """Return the same recipe with another ``training.start``."""
        return self.model_copy(update={"training": self.training.model_copy(update={"start": start})})

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.schedule.kind == "plateau" and self.validation is None:
            raise ValueError("the schedule is plateau, which needs a [validation]")
        return self
