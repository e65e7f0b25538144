"""The size of a picture, everywhere as (width, height)."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of an array that holds such a picture: (height, width)."""
        return self.height, self.width

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Size:
        """Return the size of a picture from the shape of its array: height, width, and any further axes."""
        return cls(shape[1], shape[0])

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"
