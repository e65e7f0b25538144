"""The size of a picture, written one way everywhere: (width, height)."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """The same as an array of lines × columns has it: (height, width)."""
        return self.height, self.width

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Size:
        """Return the size of an array whose first two axes are lines and columns."""
        return cls(shape[1], shape[0])

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"
