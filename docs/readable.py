"""Convert docstrings to Markdown for the API pages: arguments become definition lists, Sphinx's roles become code."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":\w+:`~?([^`]+)`")
ARGUMENT = re.compile(r"^([a-z_]+(?:, [a-z_]+)*)\n((?: {4}\S.*\n?(?:\n(?= {4}))?)+)", re.MULTILINE)


class Readable(griffe.Extension):
    """An extension of griffe that rewrites docstrings."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Return a docstring as Markdown."""
    text = ROLE.sub(lambda role: f"`{role[1].split('.')[-1] if '~' in role[0] else role[1]}`", text)
    text = ARGUMENT.sub(_definition, text.replace("``", "`"))
    return re.sub(r"^::\n", "", re.sub(r"::\n", ":\n", text), flags=re.MULTILINE)


def _definition(argument: re.Match[str]) -> str:
    lines = [line[4:] for line in argument[2].rstrip("\n").splitlines()]
    return f"\n`{argument[1]}`\n:   " + "\n    ".join(lines) + "\n\n"
