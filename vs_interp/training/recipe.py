"""A recipe: everything that determines a training run.  :mod:`.recipe_file` reads one from TOML."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .recipe_data import Count, Data, Fraction, Number, Part, Share, Split, Table

Start = Path | Annotated[tuple[Path, ...], Field(min_length=1)] | Annotated[dict[str, Path], Field(min_length=1)] | None


class Validation(Table):
    """How the weights are validated.

    footage, split, part
        A data set, as in :class:`~vs_interp.training.recipe_data.Source`.  It must share no frame with the training
        data.
    gap
        Distance in frames between the inputs of a window, for networks that take a time.
    windows
        Number of windows, evenly spread.
    every
        Steps from one validation to the next.
    patience
        Validations without a better PSNR after which the run ends; 0 for never.
    """

    footage: str
    split: Split = "validation"
    part: Part = (0.0, 1.0)
    gap: Annotated[int, Field(ge=2)] = 2
    windows: Count = 32
    every: Count = 500
    patience: Number = 0


class Schedule(Table):
    """The schedule of the learning rate.

    kind
        ``cosine``: half a cosine from the full rate to ``floor`` times it.  ``multi-step``: multiplied by ``factor`` at
        each of ``milestones`` (steps).  ``plateau``: multiplied by ``factor`` after ``patience`` validations without a
        better PSNR, but not below the rate ``minimum``, and then not again for ``cooldown`` validations.
        ``one-cycle``: linear from 1/25 to the full rate, reached at the end of the warm-up, and linear down to
        ``floor`` times it (Smith 2018, arXiv:1708.07120; used by RAFT).  ``constant``.
    warmup
        Steps in which the rate rises from 0 to the full rate; not for ``plateau``.
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
            raise ValueError(f"the milestones {list(self.milestones)} are not ascending: give them in order")
        return self


class Training(Table):
    """How the weights are trained.

    steps
        Number of steps of the run.
    minutes
        Time limit of the run, validations not counted.  The schedule then follows the clock if that is ahead of the
        steps.  Such a run cannot be reproduced.
    seed
        Of the first weights and the samples.
    optimiser, learning_rate, weight_decay
        PyTorch's Adam or AdamW; the learning rate is the full one of the schedule.
    precision
        ``fp32``, ``bf16`` (autocast) or ``fp16`` (autocast with gradient scaling); the last ``exact_steps`` are fp32.
    average
        Decay per step of the moving average of the weights.  The average is what is validated and exported.
    clip
        Largest norm of the gradient.
    start
        The weights to start from: a checkpoint, a model file or a name (``vs-interp weights list``); a list of these,
        whose mean is taken (Wortsman et al. 2022, arXiv:2203.05482); or a table of parts of the network (module names)
        with one for each, which all modules of a list of modules share.  Instead of a checkpoint it may be a recipe,
        which is trained first if its last weights do not exist (:mod:`vs_interp.training.stages`).
    frozen
        Parts of the network (module names) whose weights are not trained.
    threads
        Threads that train; 0 leaves their number to PyTorch: one for each core, or ``OMP_NUM_THREADS``.  On a CPU up
        to 16 of them each compute a part of the batch, if its samples do not affect each other; otherwise, or in
        several processes, they share each operation.
    compile
        Compile network and losses with ``torch.compile``; docs/training.md says what that costs.
    save_every
        Steps from one checkpoint to the next.
    keep
        Number of checkpoints to keep, in addition to the best weights.
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
    """Everything that determines a run.

    network
        The network's ``name`` in the registry, and its configuration; if empty, those of the weights that
        ``training.start`` names.
    losses
        Name → weight.
    perceptual
        The file of VGG16's weights, for the loss of that name.
    text
        The recipe itself, as TOML.
    """

    network: dict[str, Any] = Field(default_factory=dict)
    data: Data
    losses: Annotated[dict[str, Share], Field(min_length=1)]
    training: Training
    schedule: Schedule = Schedule()
    validation: Validation | None = None
    perceptual: Path | None = None
    text: Annotated[str, Field(repr=False)]

    def with_start(self, start: Start) -> Recipe:
        """Return the same recipe with another ``training.start``."""
        return self.model_copy(update={"training": self.training.model_copy(update={"start": start})})

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.schedule.kind == "plateau" and self.validation is None:
            raise ValueError("the schedule plateau needs a [validation]")
        if self.schedule.kind == "plateau" and self.schedule.warmup and "warmup" in self.schedule.model_fields_set:
            raise ValueError("the schedule plateau has no warm-up: omit schedule.warmup")
        if not any(self.losses.values()):
            raise ValueError("all losses have the weight 0: give one of them a larger weight")
        if not self.network and not isinstance(self.training.start, Path | tuple):
            raise ValueError("there is no [network]: add one, or name the weights to start from (training.start)")
        return self
