"""A single HTML page about an evaluation: pictures of all methods to flip and wipe between, plots, and tables.

Pictures, style and script are embedded, so that it needs no server.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from .compare import Row
from .plot import COLOURS, plot
from .run import Evaluation
from .tables import by_sequence, tables
from .tasks import SCORES
from .worst import Case

TEMPLATES = Path(__file__).with_name("templates")

THUMBNAIL = (240, 72)


def page(evaluation: Evaluation, cases: Sequence[Case]) -> bytes:
    """Return the page of an evaluation, with the cases in which the model is worst, the worst first."""
    figures = evaluation.figures
    methods = list(figures["methods"])
    model, rivals = methods[0], methods[1:]
    title = f"{model} compared with {', '.join(rivals)}" if rivals else model
    pictures = figures["methods"][model]["pictures"]
    known = figures["datasets"]
    what = ", ".join(Path(name).name for name in known[:3]) + (f" and {len(known) - 3} more" if len(known) > 3 else "")
    fields = {
        "title": html.escape(title),
        "summary": html.escape(f"{figures['task']} · {what} · {pictures} pictures"),
        "model": html.escape(model),
        "version": html.escape(figures["versions"].get("vs-interp", "")),
        "style": _template("page.css"),
        "script": _template("page.js"),
        "tables": _scrolling(table.html() for table in tables(figures)),
        "sequences": _scrolling([by_sequence(figures).html()]),
        "plots": _plots(evaluation),
        "circumstances": _circumstances(figures),
        "data": _in_script({"cases": [_case(case, model) for case in cases]}),
    }
    filled = re.sub(r"\{\{(\w+)\}\}", lambda found: fields[found[1]], _template("page.html"))
    return filled.encode()


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").rstrip("\n")


def _in_script(values: object) -> str:
    """Return JSON that cannot end the script element that contains it."""
    return json.dumps(values).replace("<", "\\u003c")


def _case(case: Case, model: str) -> dict[str, Any]:
    return {
        "title": case.title,
        "model": model,
        "amplified": case.amplified,
        "thumbnail": _thumbnail(case),
        "versions": [
            {"name": name, "score": case.scores.get(name, ""), "source": _source(content, "webp")}
            for name, content in case.versions.items()
        ],
    }


def _thumbnail(case: Case) -> str:
    small = case.picture("truth")
    small.thumbnail(THUMBNAIL)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=80)
    return _source(file.getvalue(), "jpeg")


def _source(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _scrolling(parts: Any) -> str:
    """Return tables that scroll sideways if they are too wide."""
    return "\n".join(f'<div class="scroll">{part}</div>' for part in parts)


def _plots(evaluation: Evaluation) -> str:
    """Return plots of the main score: over the pictures, and by lead if there are several."""
    methods = evaluation.figures["methods"]
    score = next(iter(next(iter(methods.values()))["mean"]))
    name = SCORES[score].title
    first = [row for row in evaluation.rows if row.lead == 1]
    lines = {method: _line([row for row in first if row.method == method], score) for method in methods}
    leads = next(iter(methods.values()))["leads"]
    of = ", the first of each window," if len(leads) > 1 else ""
    found = [(f"{name} of every picture{of} in the order of the film", "picture", lines)]
    if len(leads) > 1:
        by_lead = {
            method: [[(lead + 1.0, each[score]) for lead, each in enumerate(values["leads"])]]
            for method, values in methods.items()
        }
        found.append((f"{name} by lead", "lead", by_lead))
    legend = "".join(
        f'<li class="s{number % COLOURS + 1}">{html.escape(method)}</li>' for number, method in enumerate(methods)
    )
    return "\n".join(
        f"<figure>{plot(title, name, along, series)}\n"
        f'<figcaption>{html.escape(title)}<ul class="legend">{legend}</ul></figcaption></figure>'
        for title, along, series in found
    )  # fmt: skip


def _line(rows: Sequence[Row], score: str) -> list[list[tuple[float, float]]]:
    """Return the points of a method's line, which has a piece for each sequence."""
    numbered = [(row, float(number)) for number, row in enumerate(rows, 1)]
    return [
        [(number, row.judged.scores[score]) for row, number in part]
        for _, part in groupby(numbered, key=lambda each: (each[0].dataset, each[0].sequence))
    ]


def _circumstances(figures: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in figures["versions"].items())
    terms = {
        "Command": f"<code>{html.escape(shlex.join(figures['command']))}</code>",
        "Model": f"{html.escape(figures['network'])}, SHA-256 <code>{figures['sha256']}</code>",
        "Backend": html.escape(f"{figures['backend']} on {figures['device']}"),
        "Versions": html.escape(versions),
        "Time": f"{figures['seconds']:g} s",
        **{f"Without {html.escape(name)}": html.escape(why) for name, why in figures["left_out"].items()},
    }
    return "\n".join(f"<dt>{term}</dt><dd>{words}</dd>" for term, words in terms.items())
