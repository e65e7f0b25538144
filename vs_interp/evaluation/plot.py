"""Line plots as SVG, to be embedded in a page: one line per method."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 960, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 40
STEPS = (1, 2, 2.5, 5, 10)
COLOURS = 8

Piece = Sequence[tuple[float, float]]
"""Connected points (x, y) of a line."""


def plot(title: str, what: str, along: str, series: Mapping[str, Sequence[Piece]]) -> str:
    """Return an ``<svg>`` element with a line for each name in ``series``, of the classes ``s1``, ``s2`` …

    ``what`` is the label of the y axis, ``along`` that of the x axis.
    """
    points = [point for line in series.values() for piece in line for point in piece]
    xs, ys = ([point[axis] for point in points] for axis in (0, 1))
    x_ticks, y_ticks = _ticks(min(xs), max(xs), 8, whole=True), _ticks(min(ys), max(ys), 5)
    left, right = min(*xs, x_ticks[0]), max(*xs, x_ticks[-1])
    low, high = min(y_ticks[0], *ys), max(y_ticks[-1], *ys)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / ((right - left) or 1)
        up = (y - low) / ((high - low) or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [f"<title>{html.escape(title)}</title>"]
    for y in y_ticks:
        _, at = place(left, y)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in x_ticks:
        at, _ = place(x, low)
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:g}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{html.escape(along)}</text>')
    parts.append(f'<text x="14" y="{TOP + 4}" transform="rotate(-90 14 {TOP + 4})" text-anchor="end">'
                 f"{html.escape(what)}</text>")  # fmt: skip
    for number, (name, line) in enumerate(series.items()):
        drawn = "".join(_path([place(*point) for point in piece]) for piece in line)
        parts.append(
            f'<path class="line s{number % COLOURS + 1}" d="{drawn}"><title>{html.escape(name)}</title></path>'
        )
    body = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">\n{body}\n</svg>'


def _path(piece: Piece) -> str:
    """Return a path through the points; a single point becomes a dot."""
    joined = "L".join(f"{x:.1f} {y:.1f}" for x, y in piece)
    return f"M{joined}" if len(piece) > 1 else f"M{joined}h0"


def _ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Return round numbers from ``low`` or less to ``high`` or more, in about ``most`` steps at the most."""
    span = (high - low) or max(abs(high), 1.0)
    size = 10 ** math.floor(math.log10(span / most))
    step = next(size * factor for factor in STEPS if size * factor * most >= span)
    step = max(1.0, math.ceil(step)) if whole else step
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]
