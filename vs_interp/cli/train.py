"""``vs-interp train``: a recipe in, checkpoints out."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.extras import how_to_get

from .options import json_option, quiet_option

if TYPE_CHECKING:
    from vs_interp.training.loop import Listener, Report
    from vs_interp.training.stages import Stage

SHOWN_EVERY = 0.2
"""Seconds between two looks at the numbers of a run: each waits for the training device."""

LINE_EVERY = 20.0
"""Seconds between two lines in a log."""

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@click.command("train")
@click.argument("recipe", metavar="RECIPE", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="FOLDER", type=click.Path(path_type=Path),
              help="Where checkpoints go; by default runs/ and the recipe's name.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in FOLDER.")
@click.option("--device", metavar="DEVICE", help="cpu or cuda; by default the GPU where there is one.")
@click.option("--steps", type=click.IntRange(min=1), help="Train for so many steps instead of the recipe's.")
@click.option("--board", is_flag=True, help="Write TensorBoard's files into FOLDER/board.")
@quiet_option
@json_option
def command(
    *, recipe: Path, output: Path | None, resume: bool, device: str | None, steps: int | None,
    board: bool, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Train the network of RECIPE.

    Recipes that RECIPE begins with are trained before it, into runs/, as far as they have not been.

    A file PAUSE in FOLDER pauses and frees the GPU until it is removed; so does SIGUSR1 until the next one (there is
    none on Windows).
    Ctrl-C and SIGTERM stop after the step, with a checkpoint.

    \b
    Examples:
      vs-interp train recipes/super-slomo-small.toml
      vs-interp train recipes/super-slomo-small.toml --resume
      torchrun --nproc-per-node 4 -m vs_interp train recipes/super-slomo.toml
      vs-interp export runs/super-slomo-small/step-00000001.safetensors -o super-slomo.onnx
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BackendError(f"training needs PyTorch: {how_to_get('train')}") from error
    from vs_interp.training.loop import train
    from vs_interp.training.stages import stages

    *before, wanted = stages(recipe, output)
    wanted = _shortened(wanted, steps)
    if wanted.folder.exists() and not wanted.folder.is_dir():
        raise ArgumentError(f"{wanted.folder} is a file: name a folder")
    leads = os.environ.get("RANK", "0") == "0"  # torchrun's other processes say nothing
    quiet, board, as_json = quiet or not leads, board and leads, as_json and leads
    last: list[Report] = []

    def run(stage: Stage, resume: bool) -> Path:
        with _shown(quiet) as show, _boarded(stage.folder / "board" if board else None) as write:

            def listen(report: Report) -> None:
                show(report)
                write(report)
                last[:] = [report]

            ended = train(stage.recipe, stage.folder, resume=resume, device=device, listener=listen)
        if isinstance(ended, int):
            click.echo(f"vs-interp: stopped; go on with vs-interp train {recipe} -o {wanted.folder} --resume", err=True)
            sys.exit(EXIT_CODES[signal.Signals(ended)])
        return ended

    for number, stage in enumerate(before, 1):
        if not quiet:
            click.echo(f"{stage.path}, which {recipe} begins with: {number} of {len(before)} to train first", err=True)
        run(stage, resume=True)
    ended = run(wanted, resume)
    if as_json and last:
        click.echo(json.dumps({"weights": str(ended), **_summary(last[0])}))
    elif not quiet:
        click.echo(f"{ended}: trained; make a model file with vs-interp export {ended} -o MODEL.onnx", err=True)


def _shortened(stage: Stage, steps: int | None) -> Stage:
    """Return the stage with so many steps, where they are given."""
    if steps is None:
        return stage
    training = stage.recipe.training.model_copy(update={"steps": steps})
    return replace(stage, recipe=stage.recipe.model_copy(update={"training": training}))


@contextmanager
def _boarded(folder: Path | None) -> Iterator[Listener]:
    if folder is None:
        yield lambda report: None
        return
    from vs_interp.training.board import Board

    board = Board(folder)
    try:
        yield board
    finally:
        board.close()


@contextmanager
def _shown(quiet: bool) -> Iterator[Listener]:
    """Hand out what shows reports: a bar on a terminal, a line now and then elsewhere."""
    console = Console(stderr=True)
    if quiet:
        yield lambda report: None
    elif console.is_terminal:
        columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn(), "left"
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=None)
            speed, shown = _Speed(), [0.0]

            def show(report: Report) -> None:
                now = time.monotonic()
                if now - shown[0] >= SHOWN_EVERY or report.step == report.steps or report.validation is not None:
                    shown[0], words = now, _words(report, speed(report))
                    progress.update(task, total=report.steps, completed=report.step, description=words)

            yield show
    else:
        yield _Log(console)


class _Speed:
    """Images a second since the first report."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def __call__(self, report: Report) -> float:
        if self._first is None:
            self._first = time.monotonic(), report.step
        seconds = time.monotonic() - self._first[0]
        return (report.step - self._first[1]) * report.images / seconds if seconds else 0.0


class _Log:
    """Prints a plain line when the last one is :data:`LINE_EVERY` seconds old, and at validations and the end."""

    def __init__(self, console: Console) -> None:
        self._console, self._speed, self._said = console, _Speed(), 0.0

    def __call__(self, report: Report) -> None:
        speed, now = self._speed(report), time.monotonic()
        if now - self._said < LINE_EVERY and report.validation is None and report.step != report.steps:
            return
        self._said = now
        left = (report.steps - report.step) * report.images / speed if speed else 0.0
        clock = f"{int(left) // 3600}:{int(left) // 60 % 60:02}:{int(left) % 60:02}"
        line = f"{report.step}/{report.steps}  {_words(report, speed)}  {clock} left"
        self._console.print(line, highlight=False, soft_wrap=True)


def _summary(report: Report) -> dict[str, Any]:
    return {name: getattr(report, name) for name in ("step", "psnr", "best", "skipped", "unreadable")}


def _words(report: Report, speed: float) -> str:
    losses = "  ".join(f"{name} {value:.4f}" for name, value in report.losses.items())
    parts = [losses, f"{report.psnr:.2f} dB", f"{speed:.1f} images/s"]
    if report.best is not None:
        parts.append(f"best {report.best:.2f} dB")
    if report.memory:
        parts.append(f"{report.memory / 2**30:.1f} GiB")
    if report.skipped:
        parts.append(f"{report.skipped} skipped")
    if report.unreadable:
        parts.append(f"{report.unreadable} unreadable")
    return "  ".join(parts)
