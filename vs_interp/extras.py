"""What to install for what is missing, as the package's own metadata has it."""

from __future__ import annotations

import importlib.metadata
import re


def how_to_get(extra: str) -> str:
    """Return the pip command that brings the packages of an extra.

    It names those packages, not ``vs-interp[extra]``, which pip only knows where vs-interp itself came from an index.
    """
    return f"pip install {' '.join(_quoted(package) for package in packages(extra))}"


def packages(extra: str) -> list[str]:
    """Return what an extra asks for, with versions; an extra that names others asks for theirs."""
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
