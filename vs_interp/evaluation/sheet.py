"""A contact sheet of the worst cases: inputs, the pictures of all methods, the truth, and the model's error."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vs_interp.errors import ArgumentError

from .worst import Case

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}

TILE, ACROSS = 400, 4
"""The greatest width of a tile in pixels, and the greatest number of tiles in a row."""

MARGIN, TITLE, CAPTION = 6, 24, 20
INK, SOFT, PAPER = (20, 20, 24), (90, 90, 96), (250, 250, 250)


def check_format(path: Path) -> None:
    """Raise :class:`ArgumentError` unless the suffix is that of a supported format."""
    if path.suffix.lower() not in FORMATS:
        raise ArgumentError(f"{path.name} cannot be written as a sheet: name a file that ends in .png or .jpg")


def sheet(cases: Sequence[Case], path: Path) -> bytes:
    """Return the sheet in the format for the suffix of ``path``, the worst case first."""
    drawn = [_drawn(case) for case in cases]
    whole = Image.new("RGB", (max(each.width for each in drawn), sum(each.height for each in drawn) + MARGIN), PAPER)
    top = 0
    for each in drawn:
        whole.paste(each, (0, top))
        top += each.height
    file = io.BytesIO()
    whole.save(file, FORMATS[path.suffix.lower()], **({"quality": 92} if path.suffix.lower() != ".png" else {}))
    return file.getvalue()


def _drawn(case: Case) -> Image.Image:
    """Draw one case: its title, and tiles with their names and scores, which are never cut."""
    tiles = {name: case.picture(name) for name in case.versions}
    model = next(iter(case.scores))
    tiles[f"error of {model} x{case.amplified}" if case.amplified > 1 else f"error of {model}"] = _error(case, model)
    largest = next(iter(tiles.values()))
    shrink = min(1.0, TILE / largest.width)
    grow = max(1, TILE // 2 // largest.width)
    size = max(1, round(largest.width * shrink)) * grow, max(1, round(largest.height * shrink)) * grow
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    captions = {name: [name, case.scores.get(name, "")] for name in tiles}
    room = max([size[0], *(math.ceil(small.getlength(line)) for lines in captions.values() for line in lines)])
    across = min(ACROSS, len(tiles))
    lines = math.ceil(len(tiles) / across)
    height = TITLE + lines * (2 * CAPTION + size[1] + MARGIN)
    width = max(MARGIN + across * (room + MARGIN), math.ceil(font.getlength(case.title)) + 2 * MARGIN)
    whole = Image.new("RGB", (width, height + MARGIN), PAPER)
    pen = ImageDraw.Draw(whole)
    pen.text((MARGIN, MARGIN), case.title, fill=INK, font=font)
    for place, (name, tile) in enumerate(tiles.items()):
        left = MARGIN + place % across * (room + MARGIN)
        top = MARGIN + TITLE + place // across * (2 * CAPTION + size[1] + MARGIN)
        for line, (text, colour) in enumerate(zip(captions[name], (INK, SOFT), strict=True)):
            pen.text((left, top + line * (CAPTION - 2)), text, fill=colour, font=small)
        how = Image.Resampling.LANCZOS if grow == 1 else Image.Resampling.NEAREST
        whole.paste(tile.resize(size, how), (left, top + 2 * CAPTION))
    return whole


def _error(case: Case, model: str) -> Image.Image:
    made, truth = (np.asarray(case.picture(name), np.int16) for name in (model, "truth"))
    return Image.fromarray((np.abs(made - truth) * case.amplified).clip(0, 255).astype(np.uint8))
