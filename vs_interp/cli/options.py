"""What people type for factors, rates and backends."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING

import click

from vs_interp.errors import ArgumentError

if TYPE_CHECKING:
    from trt_build.backends import Backend


class Factor(click.ParamType[Fraction]):
    """2, 2.5 or 5/2."""

    name = "factor"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        from vs_interp.filters.timeline import as_factor

        try:
            exact: Fraction = as_factor(Fraction(value))
            return exact
        except ArgumentError as error:
            self.fail(str(error), param, ctx)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no number: give one such as 2, 2.5 or 5/2", param, ctx)


class FrameRate(click.ParamType[Fraction]):
    """60, 59.94 (which is 60000/1001) or 60000/1001."""

    name = "rate"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        from vs_interp.filters.timeline import as_rate

        try:
            exact: Fraction = as_rate(Fraction(value) if "/" in value else float(value))
            return exact
        except ArgumentError as error:
            self.fail(str(error), param, ctx)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no frame rate: give one such as 60, 59.94 or 60000/1001", param, ctx)


class Threshold(click.ParamType[float | None]):
    """A number, or ``off``, which is handed on as None."""

    name = "threshold"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        try:
            return None if value == "off" else float(value)
        except ValueError:
            self.fail(f"{value!r} is no number: give one from 0 to 1, or off", param, ctx)


def parse_backend(text: str) -> Backend:
    """Return the backend that ``name`` or ``name:option=value,option=value`` describes.

    Raises :class:`ArgumentError` for names, options or values that there are not.
    """
    from trt_build.backends import choose

    name, _, rest = text.partition(":")
    backend = choose(name)
    known = [field.name for field in dataclasses.fields(backend)]
    values: dict[str, object] = {}
    for part in filter(None, rest.split(",")):
        option, _, value = part.partition("=")
        if option not in known or not value:
            raise ArgumentError(f"the backend {name} takes no {part!r}: its options are {', '.join(known)}")
        values[option] = (
            int(value) if value.lstrip("-").isdecimal() else {"true": True, "false": False}.get(value, value)
        )
    try:
        return dataclasses.replace(backend, **values)
    except TypeError as error:
        raise ArgumentError(
            f"the backend {text!r} has a value of the wrong kind: its options are {', '.join(known)}"
        ) from error
