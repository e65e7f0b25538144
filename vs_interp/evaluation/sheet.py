"""A contact sheet: where a model does worst, its inputs, what it made, the truth and the error side by side."""

from __future__ import annotations

import heapq
import io
import itertools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .material import Picture

TILE = 384
"""Columns of a tile at most."""

AMPLIFIED = 8
"""How many times larger the error is shown."""

MARGIN, CAPTION = 4, 20


class Sheet:
    """Keeps the pictures of the lowest scores, each shrunk to a tile, and draws them."""

    def __init__(self, rows: int = 10) -> None:
        self._rows = rows
        self._order = itertools.count()
        self._worst: list[tuple[float, int, str, list[tuple[str, Image.Image]]]] = []

    def add(self, score: float, caption: str, inputs: Sequence[Picture], made: Picture, truth: Picture) -> None:
        """Take note of a picture, if its score is among the lowest."""
        if len(self._worst) == self._rows and -score <= self._worst[0][0]:
            return
        error = np.abs(made.astype(np.int16) - truth) * AMPLIFIED
        named = [(f"input {index}" if len(inputs) > 1 else "input", picture) for index, picture in enumerate(inputs)]
        named += [("made", made), ("truth", truth), (f"error x{AMPLIFIED}", error.clip(0, 255).astype(np.uint8))]
        height, width = truth.shape[:2]
        shrink = min(1.0, TILE / width)
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        tiles = [(name, Image.fromarray(picture).convert("RGB").resize(size)) for name, picture in named]
        heapq.heappush(self._worst, (-score, next(self._order), caption, tiles))
        if len(self._worst) > self._rows:
            heapq.heappop(self._worst)

    def png(self) -> bytes:
        """Return the sheet as a PNG file, the worst first."""
        rows = sorted(self._worst, key=lambda row: (-row[0], row[1]))
        heights = [CAPTION + row[3][0][1].height + MARGIN for row in rows]
        width = max(sum(tile.width + MARGIN for _, tile in row[3]) for row in rows) + MARGIN
        sheet = Image.new("RGB", (width, sum(heights) + MARGIN), "white")
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
        top = MARGIN
        for (_, _, caption, tiles), height in zip(rows, heights, strict=True):
            left = MARGIN
            for index, (name, tile) in enumerate(tiles):
                text = f"{caption}  {name}" if index == 0 else name
                pen.text((left, top), text[: tile.width // 7], fill="black", font=font)
                sheet.paste(tile, (left, top + CAPTION))
                left += tile.width + MARGIN
            top += height
        file = io.BytesIO()
        sheet.save(file, "PNG")
        return file.getvalue()
