"""The log of a run: ``log.jsonl``, with one JSON object per line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from vs_interp.errors import CheckpointError

from .losses import SMALLEST, judged, ssim_loss
from .report import Report, Scores
from .run_folder import write

NAME = "log.jsonl"

EVERY = 50
"""Steps from one line to the next; the first and last step and those with a validation have lines too."""


class Log:
    """Appends to ``log.jsonl`` in a folder.

    Lines of steps after ``step``, from which the run goes on, are removed first: these steps will be done again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / NAME
        kept = [line for line in self._lines() if _step(line) <= step]
        write(self.path, "".join(f"{line}\n" for line in kept))

    def __call__(self, report: Report) -> None:
        """Write a line, if one is due.  Raises :class:`CheckpointError` if it cannot be written."""
        if report.step % EVERY and report.step not in (1, report.steps) and report.validation is None:
            return
        ssim = None
        if min(report.batch.truth.shape[2:]) >= SMALLEST["ssim"]:
            ssim = round(1 - float(judged(ssim_loss, report.outcome.made, report.batch.truth)), 5)
        line = {
            "step": report.step, "seconds": round(report.seconds, 1),
            "losses": {name: _finite(loss) for name, loss in report.losses.items()},
            "psnr": round(report.psnr, 3), "ssim": ssim,
            "gradient_norm": _finite(float(report.norm)), "learning_rate": report.learning_rate,
            "images_a_second": round(report.speed, 2), "skipped": report.skipped,
        }  # fmt: skip
        if report.validation is not None:
            line["validation"] = report.validation._asdict()
        self._append(line)

    def validation(self, step: int, scores: Scores) -> None:
        """Write the line of a validation without a step before it.  Raises :class:`CheckpointError` as a call does."""
        self._append({"step": step, "validation": scores._asdict()})

    def _append(self, line: dict[str, Any]) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise CheckpointError(f"{self.path} cannot be written ({error.strerror}): make room and resume") from error

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []


def last_figures(folder: Path) -> dict[str, Any]:
    """Return the last figures in a run's log: the summary where no step was left to be taken."""
    lines = [json.loads(line) for line in (folder / NAME).read_text(encoding="utf-8").splitlines()]
    said = {key: value for line in lines for key, value in line.items()}
    best = max((line["validation"]["psnr"] for line in lines if "validation" in line), default=0.0)
    figures = {key: said.get(key) for key in ("step", "psnr", "skipped", "validation")}
    return {**figures, "best": best or None, "unreadable": 0}


def _finite(value: float) -> float | None:
    """Return a value, or ``None`` for one that JSON does not have: those of skipped steps need not be finite."""
    return value if math.isfinite(value) else None


def _step(line: str) -> float:
    """Return the step of a line; infinity for one that was cut short by a crash."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
