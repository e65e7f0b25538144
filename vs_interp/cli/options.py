"""Command-line types for factors, rates and backends, and options that several commands share."""

from __future__ import annotations

import math
import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from vs_interp.arguments import warn_renamed
from vs_interp.errors import ArgumentError
from vs_interp.log import speak

if TYPE_CHECKING:
    from trt_build.backends import Backend


def _set_quiet(context: click.Context, param: click.Parameter, value: bool) -> bool:
    if value:
        speak(quiet=True)
    return value


quiet_option = click.option(
    "-q", "--quiet", is_flag=True, callback=_set_quiet, help="Print errors only: no progress, no warnings."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


class NewFile(click.ParamType[Path]):
    """A file to write, which must not exist yet, in a folder that can be written to: checked before the work."""

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        folder = path.absolute().parent
        if os.path.lexists(path):
            raise ArgumentError(f"{path} exists: remove it, or name another file")
        if not folder.is_dir():
            raise ArgumentError(f"the folder {path.parent} does not exist: make it first")
        if not os.access(folder, os.W_OK):
            raise ArgumentError(f"cannot write {path}: the folder {folder} is not yours to write to")
        return path


class Whole(click.IntRange):
    """A whole number in a range."""

    name = "whole number"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "N"


class Number(click.FloatRange):
    """A number in a range; neither infinite nor "nan"."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number that can be used: give a finite number", param, ctx)
        return number


report_option = click.option("--report", metavar="FILE", type=NewFile(), help="Write the result to FILE as JSON.")


def weights_names(context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shell completion for names of weights."""
    from vs_interp.weights.catalogue import catalogue

    return [CompletionItem(name) for name in catalogue() if name.startswith(incomplete)]


def models(context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shell completion for models: names of weights, and files."""
    return [*weights_names(context, param, incomplete), CompletionItem(incomplete, type="file")]


class Factor(click.ParamType[Fraction]):
    """A factor such as 2, 2.5 or 5/2, exactly."""

    name = "factor"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        from vs_interp.filters.timeline import as_factor

        try:
            exact: Fraction = as_factor(Fraction(value))
            return exact
        except ArgumentError as error:
            self.fail(str(error), param, ctx)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is not a number: give one such as 2, 2.5 or 5/2", param, ctx)


class FrameRate(click.ParamType[Fraction]):
    """A frame rate such as 60, 60000/1001 or 59.94 (which means 60000/1001)."""

    name = "rate"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        from vs_interp.arguments import as_rate

        try:
            exact: Fraction = as_rate(Fraction(value) if "/" in value else float(value))
            return exact
        except ArgumentError as error:
            self.fail(str(error), param, ctx)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is not a frame rate: give one such as 60, 59.94 or 60000/1001", param, ctx)


class Threshold(click.ParamType[float | None]):
    """A number, or ``none`` (formerly ``off``)."""

    name = "threshold"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        try:
            if value == "off":
                warn_renamed("--scene-threshold off", "--scene-threshold none")
            return None if value.lower() in ("none", "off") else float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number: give one, or none", param, ctx)


class Runtimes(click.Choice[str]):
    """A choice of runtimes, in upper or lower case; ``rtx`` means ``tensorrt-rtx``."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from trt_build.engines.runtimes import plain_name

        return super().convert(plain_name(value), param, ctx)


class BackendName(click.ParamType["Backend"]):
    """A backend's name, with options after a colon: openvino, or tensorrt:devices=0+1,streams=2."""

    name = "backend"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Backend:
        from trt_build.backends import choose

        try:
            return choose(value)
        except ArgumentError as error:
            self.fail(str(error), param, ctx)


class BackendText(click.ParamType[str]):
    """Like :class:`BackendName`, but returned as text, after a check."""

    name = "backend"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        BackendName().convert(value, param, ctx)
        return value


backend_option = click.option(
    "--backend",
    metavar="BACKEND",
    type=BackendName(),
    help="Such as openvino or openvino:streams=1.  [default: the best that works]",
)
