"""The tables of an evaluation, for a terminal, in Markdown and in HTML."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Terminal

from .tasks import SCORES

WIDEST = 1_000
"""Characters in a line of a table in a terminal."""


@dataclass(frozen=True)
class Table:
    """A table of text, whose first column names the rows; ``best`` are the best cells as (row, column)."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: frozenset[tuple[int, int]] = frozenset()

    def terminal(self) -> Terminal:
        """Return the table for rich's console."""
        table = Terminal(title=escape(self.title), title_justify="left")
        for column, heading in enumerate(self.headings):
            table.add_column(escape(heading), justify="right" if column else "left", no_wrap=True)
        for row in self._marked("[bold]", "[/]", escape):
            table.add_row(*row)
        return table

    def show(self) -> None:
        """Print the table in full: a terminal that is too narrow wraps it, rather than cutting its cells."""
        table, console = self.terminal(), Console()
        needed = console.measure(table, options=console.options.update(max_width=WIDEST)).maximum
        Console(width=max(console.width, needed)).print(table)

    def markdown(self) -> str:
        """Return the table in Markdown, with its title."""
        rows = [self.headings, ["---", *["---:"] * (len(self.headings) - 1)]]
        rows += self._marked("**", "**", lambda cell: cell.replace("|", "\\|"))
        return f"{self.title}:\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)

    def html(self) -> str:
        """Return the table as an HTML element."""
        head = "".join(f'<th scope="col">{html.escape(heading)}</th>' for heading in self.headings)
        body = "".join(
            f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>\n'
            for first, *rest in self._marked("<strong>", "</strong>", html.escape)
        )
        caption = f"<caption>{html.escape(self.title)}</caption>"
        return f"<table>{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"

    def _marked(self, before: str, after: str, safe: Callable[[str], str]) -> list[list[str]]:
        return [
            [f"{before}{safe(cell)}{after}" if (row, column) in self.best else safe(cell)
             for column, cell in enumerate(cells)]
            for row, cells in enumerate(self.rows)
        ]  # fmt: skip


def tables(figures: Mapping[str, Any]) -> list[Table]:
    """Return the tables of an evaluation: over all pictures, by film and by lead if there are several."""
    methods = figures["methods"]
    first = next(iter(methods.values()))
    what = figures["datasets"][0] if len(figures["datasets"]) == 1 else f"{len(figures['datasets'])} data sets"
    pictures = f"{first['pictures']} picture{'s' if first['pictures'] > 1 else ''}"
    found = [_by_method(f"{what}: {pictures}", {name: values["mean"] for name, values in methods.items()}, figures)]
    if len(figures["datasets"]) > 1:
        score = next(iter(first["mean"]))
        means = {
            name: [values["datasets"][film]["mean"][score] for film in figures["datasets"]]
            for name, values in methods.items()
        }
        found.append(_by_place(f"{SCORES[score].title} by film", "film", score, figures["datasets"], means))
    if len(first["leads"]) > 1:
        names = [f"+{lead + 1}" for lead in range(len(first["leads"]))]
        found += [_by_place(f"{SCORES[score].title} by lead", "lead", score, names, _leads(methods, score))
                  for score in first["mean"]]  # fmt: skip
    return found


def by_sequence(figures: Mapping[str, Any]) -> Table:
    """Return a table of the main score by sequence."""
    methods = figures["methods"]
    score = next(iter(next(iter(methods.values()))["mean"]))
    values = {
        method: {(dataset, name): part["mean"][score]
                 for dataset, parts in found["datasets"].items() for name, part in parts["sequences"].items()}
        for method, found in methods.items()
    }  # fmt: skip
    places = list(next(iter(values.values())))
    twice = {name for name, count in Counter(name for _, name in places).items() if count > 1}
    names = [f"{dataset}: {name}" if name in twice else name for dataset, name in places]
    cells = {method: list(found.values()) for method, found in values.items()}
    return _by_place(f"{SCORES[score].title} by sequence", "sequence", score, names, cells)


def _leads(methods: Mapping[str, Any], score: str) -> dict[str, list[float]]:
    return {method: [lead[score] for lead in values["leads"]] for method, values in methods.items()}


def _by_method(title: str, means: Mapping[str, Mapping[str, float]], figures: Mapping[str, Any]) -> Table:
    """Return a table with a row per method and a column per score, and the work of networks."""
    scores = list(next(iter(means.values())))
    work = {name: values["kmac"] for name, values in figures["methods"].items() if values.get("kmac") is not None}
    headings = ["method", *(SCORES[score].title for score in scores), *(["kMAC a pixel"] if work else [])]
    rows = [
        [name, *(SCORES[score].text(mean[score]) for score in scores),
         *([f"{work[name]:,.0f}" if name in work else ""] if work else [])]
        for name, mean in means.items()
    ]  # fmt: skip
    columns = [(score, [mean[score] for mean in means.values()]) for score in scores]
    best = {(row, column + 1) for column, (score, values) in enumerate(columns) for row in _best(score, values)}
    return Table(title, headings, rows, frozenset(best))


def _by_place(title: str, what: str, score: str, names: Sequence[str], values: Mapping[str, Sequence[float]]) -> Table:
    """Return a table with a row per name, such as a lead or a sequence, and a column per method."""
    rows = [[name, *(SCORES[score].text(cells[row]) for cells in values.values())] for row, name in enumerate(names)]
    best = {(row, column + 1) for row in range(len(names))
            for column in _best(score, [cells[row] for cells in values.values()])}  # fmt: skip
    return Table(title, [what, *values], rows, frozenset(best))


def _best(score: str, values: Sequence[float]) -> list[int]:
    """Return the indices of the values that equal the best one as shown, or none if all do."""
    top = SCORES[score].text((max if SCORES[score].higher else min)(values))
    found = [place for place, value in enumerate(values) if SCORES[score].text(value) == top]
    return found if len(found) < len(values) else []
