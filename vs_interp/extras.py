"""What to install when an optional package is missing, read from this package's own metadata."""

from __future__ import annotations

import importlib.metadata
import re


def how_to_get(extra: str) -> str:
    """Return the pip command that installs the packages of an extra.

    It lists the packages instead of ``vs-interp[extra]``, which pip could not find if vs-interp was installed from a
    file and not from an index.
    """
    return f"pip install {' '.join(_quoted(package) for package in packages(extra))}"


def packages(extra: str) -> list[str]:
    """Return the requirements of an extra with their versions, including those of the extras that it refers to."""
    try:
        requirements = importlib.metadata.requires("vs-interp") or []
    except importlib.metadata.PackageNotFoundError:
        requirements = []
    found: list[str] = []
    for requirement in requirements:
        package, _, marker = requirement.partition(";")
        if f"extra == {extra!r}" not in marker.replace('"', "'"):
            continue
        inner = re.fullmatch(r"vs-interp\[(.*)\]", package.strip())
        for name in inner[1].split(",") if inner else ():
            found += packages(name.strip())
        if not inner:
            found.append(package.strip())
    return list(dict.fromkeys(found)) or [f"vs-interp[{extra}]"]


def _quoted(package: str) -> str:
    return f'"{package}"' if re.search(r"[<>\[]", package) else package
