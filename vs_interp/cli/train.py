"""``vs-interp train``: train a network from a recipe."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.extras import how_to_get

from .options import Whole, json_option, quiet_option
from .progress import clock

if TYPE_CHECKING:
    from vs_interp.training.report import Listener, Report
    from vs_interp.training.stages import Stage

SHOWN_EVERY = 0.2
"""Seconds between two updates of the bar, each of which waits for the training device."""

LINE_EVERY = 20.0
"""Seconds between two lines in a log."""

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@click.command("train")
@click.argument("recipe", metavar="RECIPE", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="FOLDER", type=click.Path(path_type=Path),
              help="Folder for checkpoints.  [default: runs/ and the recipe's name]")  # fmt: skip
@click.option("--resume", is_flag=True, help="Continue from the last checkpoint in FOLDER.")
@click.option("--device", metavar="DEVICE", help="cpu, cuda or cuda:1.  [default: the GPU if there is one]")
@click.option("--steps", type=Whole(min=1), help="Number of steps, instead of the recipe's.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE",
              help="Override a key of the recipe: learning_rate=1e-4, data.source.0.footage=shards:film.")  # fmt: skip
@click.option("--board", is_flag=True, help="Write TensorBoard files to FOLDER/board.")
@quiet_option
@json_option
def command(
    *, recipe: Path, output: Path | None, resume: bool, device: str | None, steps: int | None,
    changes: tuple[str, ...], board: bool, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Train the network of RECIPE.

    If RECIPE starts from the result of another recipe, that one is trained first, into runs/, unless it already was.

    A file named PAUSE in FOLDER pauses training and frees the GPU until it is removed; so does SIGUSR1, until the next
    SIGUSR1 (not on Windows).  Ctrl-C and SIGTERM stop after the current step, with a checkpoint.  FOLDER/log.jsonl
    records losses, PSNR and speed.

    \b
    Examples:
      vs-interp train recipes/own-clips.toml
      vs-interp train recipes/own-clips.toml --set start=rife-4.25 --set data.batch=2
      vs-interp train recipes/own-clips.toml --resume --set learning_rate=1e-5
      torchrun --nproc-per-node 4 -m vs_interp train recipes/super-slomo.toml
      vs-interp export runs/super-slomo-small/step-00000001.safetensors -o super-slomo.onnx
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BackendError(f"training needs PyTorch: {how_to_get('train')}") from error
    from vs_interp.training.log import last_figures
    from vs_interp.training.loop import train
    from vs_interp.training.stages import stages

    given = [*changes, *([f"training.steps={steps}"] if steps else [])]
    *before, wanted = stages(recipe, output, given)
    if wanted.folder.exists() and not wanted.folder.is_dir():
        raise ArgumentError(f"{wanted.folder} is a file: name a folder")
    leads = os.environ.get("RANK", "0") == "0"  # torchrun's other processes print nothing
    quiet, board, as_json = quiet or not leads, board and leads, as_json and leads
    last: list[Report] = []

    def run(stage: Stage, resume: bool) -> Path:
        with _progress(quiet) as show, _tensorboard(stage.folder / "board" if board else None) as write:

            def listen(report: Report) -> None:
                show(report)
                write(report)
                last[:] = [report]

            ended = train(stage.recipe, stage.folder, resume=resume, device=device, listener=listen)
        if isinstance(ended, int):
            words = ["vs-interp", "train", str(recipe), "-o", str(wanted.folder), "--resume"]
            words += ["--device", device] if device else []
            words += [word for change in given for word in ("--set", change)]
            if leads:
                click.echo(f"vs-interp: stopped; continue with {shlex.join(words)}", err=True)
            sys.exit(EXIT_CODES[signal.Signals(ended)])
        return ended

    for number, stage in enumerate(before, 1):
        if not quiet:
            click.echo(f"{stage.path}, from which {recipe} starts: {number} of {len(before)} to train first", err=True)
        run(stage, resume=True)
    ended = run(wanted, resume)
    if as_json:
        figures = _summary(last[0]) if last else last_figures(wanted.folder)
        click.echo(json.dumps({"weights": str(ended), **figures}))
    elif not quiet:
        click.echo(f"{ended}: trained; make a model file with vs-interp export {ended} -o MODEL.onnx", err=True)


@contextmanager
def _tensorboard(folder: Path | None) -> Iterator[Listener]:
    """Yield a function that writes reports for TensorBoard, or does nothing without a folder."""
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
def _progress(quiet: bool) -> Iterator[Listener]:
    """Yield a function that shows reports: a bar on a terminal, a line from time to time elsewhere."""
    console = Console(stderr=True)
    if quiet:
        yield lambda report: None
    elif console.is_terminal:
        columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn(), "left"
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=None)
            shown = [0.0]

            def show(report: Report) -> None:
                now = time.monotonic()
                if now - shown[0] >= SHOWN_EVERY or report.step == report.steps or report.validation is not None:
                    shown[0] = now
                    progress.update(task, total=report.steps, completed=report.step, description=_figures(report))

            yield show
    else:
        yield _Lines(console)


class _Lines:
    """Prints a line at most every :data:`LINE_EVERY` seconds, and at validations and the end."""

    def __init__(self, console: Console) -> None:
        self._console, self._last = console, 0.0

    def __call__(self, report: Report) -> None:
        now = time.monotonic()
        if now - self._last < LINE_EVERY and report.validation is None and report.step != report.steps:
            return
        self._last = now
        left = (report.steps - report.step) * report.images / report.speed if report.speed else 0.0
        line = f"{report.step}/{report.steps}  {_figures(report)}  {clock(left)} left"
        self._console.print(line, highlight=False, soft_wrap=True)


def _summary(report: Report) -> dict[str, Any]:
    found = {name: getattr(report, name) for name in ("step", "psnr", "best", "skipped", "unreadable")}
    return {**found, "validation": report.latest._asdict() if report.latest else None}


def _figures(report: Report) -> str:
    """Return the figures of a report in one line."""
    losses = "  ".join(f"{name} {value:.4f}" for name, value in report.losses.items())
    parts = [losses, f"{report.psnr:.2f} dB", f"rate {report.learning_rate:.1e}", f"{report.speed:.1f} images/s"]
    if report.latest is not None:
        parts.append(f"validation {report.latest.psnr:.2f} dB (best {report.best or 0:.2f})")
    if report.memory:
        parts.append(f"{report.memory / 2**30:.1f} GiB")
    if report.skipped:
        parts.append(f"{report.skipped} skipped")
    if report.unreadable:
        parts.append(f"{report.unreadable} unreadable")
    return "  ".join(parts)
