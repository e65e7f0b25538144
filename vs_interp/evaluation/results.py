"""The scores of ``vs-interp evaluate``: means by method and sequence, a table for people, JSON for machines."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from trt_build.backends import Backend
from trt_build.backends.machine import machine
from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.files import write_whole
from vs_interp.films.ffmpeg import find_ffmpeg, version

from .compare import Row, by, means
from .sheet import Sheet

COLUMNS = {
    "psnr": ("PSNR", "{:.2f} dB"),
    "ssim": ("SSIM", "{:.4f}"),
    "ie": ("IE", "{:.2f}"),
    "psnr_luma": ("PSNR luma", "{:.2f} dB"),
    "ssim_luma": ("SSIM luma", "{:.4f}"),
    "equal": ("equal", "{:.2%}"),
    "iou": ("IoU", "{:.4f}"),
}
"""The scores as the table shows them."""

PACKAGES = ("vs-interp", "numpy", "onnx", "openvino", "tensorrt", "tensorrt-rtx", "VapourSynth", "vapoursynth-mvtools")
"""What may change a score."""


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the means by method, over all pictures, those of each lead, of each data set and of each sequence."""
    return {
        method: {
            **_mean(found),
            "leads": [means(part) for part in by(found, lambda row: str(row.lead)).values()],
            "datasets": {
                dataset: {
                    **_mean(part),
                    "sequences": {name: _mean(rest) for name, rest in by(part, lambda row: row.sequence).items()},
                }
                for dataset, part in by(found, lambda row: row.dataset).items()
            },
        }
        for method, found in by(rows, lambda row: row.method).items()
    }


def _mean(rows: Sequence[Row]) -> dict[str, Any]:
    return {"pictures": len(rows), "mean": means(rows)}


def circumstances(backend: Backend) -> dict[str, Any]:
    """Return what scores depend on beside model and data: backend, device, the command as it was typed, versions."""
    return {
        "backend": str(backend),
        "device": machine(backend),
        "command": ["vs-interp", *sys.argv[1:]],
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """Return the versions of what is installed and may change a score."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    with suppress(EncoderError):
        found["ffmpeg"] = version(find_ffmpeg())
    return found


def hand_out(
    figures: dict[str, Any], report: Path | None, sheet: Sheet | None, picture: Path | None, *, as_json: bool
) -> None:
    """Print the table, or JSON, and write the files that were asked for."""
    text = json.dumps(figures, indent=1) + "\n"
    try:
        if sheet is not None and picture is not None:
            write_whole(picture, sheet.png())
        if report is not None:
            write_whole(report, text.encode())
    except OSError as error:
        raise ArgumentError(f"cannot write {error.filename or picture}: {error.strerror}") from error
    if as_json:
        click.echo(text, nl=False)
    else:
        _show(figures)


def _show(figures: dict[str, Any]) -> None:
    first = next(iter(figures["methods"].values()))
    known = figures["datasets"]
    what = known[0] if len(known) == 1 else f"{len(known)} data sets"
    table = Table(title=f"{what}: {first['pictures']} pictures", title_justify="left")
    table.add_column("method")
    columns = [name for name in COLUMNS if name in first["mean"]]
    for name in columns:
        table.add_column(COLUMNS[name][0], justify="right")
    for method, values in figures["methods"].items():
        table.add_row(method, *(COLUMNS[name][1].format(values["mean"][name]) for name in columns))
    for lead in range(len(first["leads"]) if len(first["leads"]) > 1 else 0):
        for method, values in figures["methods"].items():
            mean = values["leads"][lead]
            table.add_row(f"{method}, +{lead + 1}", *(COLUMNS[name][1].format(mean[name]) for name in columns))
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f"{figures['backend']} on {figures['device']}, {figures['seconds']} s", highlight=False)
