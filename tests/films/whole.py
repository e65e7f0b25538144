"""A conversion in one go, with any steps: what ``vs-interp convert --whole`` does beside its options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from vs_interp.films.codecs import Choice
from vs_interp.films.encoding import Encoding
from vs_interp.films.excerpt import Excerpt, excerpt
from vs_interp.films.render import render
from vs_interp.films.source import Reading, Stream, open_source

Step = Callable[[Stream], Stream]
"""What becomes of a clip."""


def convert(
    source: Path, output: Path, steps: Sequence[Step], *,
    part: Excerpt | None = None, choice: Choice | None = None, reading: Reading | None = None, overwrite: bool = False,
) -> int:  # fmt: skip
    """Open a film, take it through the steps and encode it; return the number of frames."""
    opened = open_source(source, reading)
    if part is not None:
        opened = excerpt(opened, part)
    stream = opened.stream
    for step in steps:
        stream = step(stream)
    encoding = Encoding.prepare(opened, stream, output, choice or Choice())
    return render(encoding, output, overwrite=overwrite, ahead=8, advance=lambda: None)
