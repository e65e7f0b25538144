"""``vs-interp bench``: how fast frames are made on this machine, by the runtime alone and in VapourSynth."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vs_interp.files import write_whole
from vs_interp.size import Size

from .formats import PictureSize
from .measure import MIB, Report, measure
from .options import Number, Whole, backend_option, json_option, models, quiet_option, report_option
from .played import ScriptReport, play_script
from .progress import working_on

if TYPE_CHECKING:
    from trt_build.backends import Backend

SCRIPTS = (".vpy", ".py")


@click.command("bench")
@click.argument("subjects", metavar="[MODEL|SCRIPT.vpy]...", nargs=-1, shell_complete=models)
@click.option(
    "--size",
    type=PictureSize(multiple_of=2),
    default="1280x720",
    show_default=True,
    help="Width and height of the clip.",
)
@click.option("--factor", type=Whole(2), default=2, show_default=True,
              help="Multiple of the frame rate, for networks that make frames at any time.")  # fmt: skip
@backend_option
@click.option("--seconds", type=Number(0.1), default=10, show_default=True,
              help="How long each measurement runs.")  # fmt: skip
@quiet_option
@json_option
@click.option("--markdown", is_flag=True, help="Print a table in Markdown.")
@report_option
def command(
    *, subjects: tuple[str, ...], size: Size, factor: int, backend: Backend | None, seconds: float, quiet: bool,
    as_json: bool, markdown: bool, report: Path | None,
) -> None:  # fmt: skip
    """Measure the speed of models and scripts.

    MODEL is a file, or a name from `vs-interp weights list`, of any kind of network; by default the bundled
    Super-SloMo.  First the runtime alone is fed from memory, then the VapourSynth filter runs on an 8-bit YUV 4:2:0
    clip in memory.  A script runs as in vspipe, and the frames of its output 0 are requested one after the other.

    \b
    Examples:
      vs-interp bench --size 1920x1080
      vs-interp bench rife-4.25 super-slomo-small flavr-small-2x --size 640x360 --markdown
      vs-interp bench super-slomo.onnx --factor 8 --backend tensorrt:streams=2 --report figures.json
      vs-interp bench script.vpy --seconds 30
    """
    names = subjects or (None,)
    measure_one = partial(measure_subject, size=size, factor=factor, backend=backend, seconds=seconds)
    run = measure_one if len(names) == 1 else partial(_in_own_process, measure_one)
    found: list[Report | ScriptReport] = []
    for name in names:
        with working_on(f"measuring {name or 'the bundled Super-SloMo'}", quiet=quiet):
            found.append(run(name))
    figures = [asdict(each) for each in found]
    text = json.dumps(figures[0] if len(figures) == 1 else figures, indent=2) + "\n"
    if as_json:
        click.echo(text, nl=False)
    elif len(found) == 1 and not markdown:
        _show(found[0])
    else:
        _show_table(found, markdown=markdown)
    if report is not None:
        write_whole(report, text.encode())


def measure_subject(
    name: str | None, *, size: Size, factor: int, backend: Backend | None, seconds: float
) -> Report | ScriptReport:
    """Measure a model, or play a script."""
    if name is not None and name.endswith(SCRIPTS):
        return play_script(Path(name), seconds)
    return measure(name or "super-slomo", size, factor, backend, seconds)


def _in_own_process(measure_one: partial[Report | ScriptReport], name: str | None) -> Report | ScriptReport:
    """Measure in a separate process, so that the memory of earlier subjects does not count; Ctrl-C just ends it."""
    spawn, at_once = multiprocessing.get_context("spawn"), (signal.SIGINT, signal.SIG_DFL)
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=signal.signal, initargs=at_once) as pool:
        return pool.submit(measure_one, name).result()


def _show(report: Report | ScriptReport) -> None:
    if isinstance(report, ScriptReport):
        click.echo(
            f"{report.script} at {report.size} on {report.machine}\n"
            f"opened in {report.opened:.2f} s, first frame after {report.first:.2f} s\n"
            f"{report.fps:.2f} frames per second ({report.frames} in {report.seconds:.1f} s), "
            f"{report.host_ms:.1f} ms of processor time each\n"
            f"peak memory {_mib(report.host_mib)}"
        )
        return
    at = f"at {report.size}" + (f", factor {report.factor}" if report.factor > 1 else "")
    lines = [
        f"{report.network} ({report.model}) {at}, {report.streams} streams, {report.kmac:g} kMAC a pixel",
        f"{report.backend} on {report.machine}",
        *([] if report.precision is None else [f"precision       {report.precision}"]),
        f"runtime alone   {report.bare_fps:8.2f} new frames per second, {report.bare_host_ms:.1f} ms of processor each",
    ]
    if report.pipeline_fps is not None:
        lines += [
            f"VapourSynth     {report.pipeline_fps:8.2f} new frames per second, {report.pipeline_host_ms:.1f} ms each",
            f"ratio           {report.ratio:8.2f}",
        ]
    device = "" if report.device_mib is None else f", {report.device_mib:.0f} MiB on the GPU"
    lines += [
        f"transferred     {report.moved_bytes / MIB:8.2f} MiB per new frame",
        f"peak memory     {_mib(report.host_mib)}{device}",
    ]
    click.echo("\n".join(lines))
    if report.recorded is False:
        click.echo("no CUDA graph   the GPU's work could not be captured, and takes more processor time than it should")


def _show_table(found: Sequence[Report | ScriptReport], *, markdown: bool) -> None:
    """Print a table with a line per model or script."""
    from vs_interp.evaluation.tables import Table

    networks = [each for each in found if isinstance(each, Report)]
    backends = ", ".join(dict.fromkeys(each.backend for each in networks)) or "Scripts"
    scripts = len(found) > len(networks)
    rate = "frames/s" if scripts else "new frames/s"
    note = " (new frames of models, all frames of scripts)" if scripts and networks else ""
    headings = "", "size", "precision", rate, "runtime alone", "processor ms each", "kMAC a pixel", "peak memory"
    table = Table(f"{backends} on {found[0].machine}{note}", headings, [_row(each) for each in found])
    if markdown:
        click.echo(table.markdown())
    else:
        table.show()


def _row(report: Report | ScriptReport) -> list[str]:
    if isinstance(report, ScriptReport):
        return [
            report.script,
            report.size,
            "",
            f"{report.fps:.2f}",
            "",
            f"{report.host_ms:,.0f}",
            "",
            _mib(report.host_mib),
        ]
    name = report.model.removesuffix(".onnx") + (f", factor {report.factor}" if report.factor > 2 else "")
    pipeline = "" if report.pipeline_fps is None else f"{report.pipeline_fps:.2f}"
    host_ms = report.bare_host_ms if report.pipeline_host_ms is None else report.pipeline_host_ms
    return [
        name,
        report.size,
        (report.precision or "").partition(":")[0],
        pipeline,
        f"{report.bare_fps:.2f}",
        f"{host_ms:,.0f}",
        f"{report.kmac:,.0f}",
        _mib(report.host_mib),
    ]


def _mib(amount: float | None) -> str:
    return "? MiB" if amount is None else f"{amount:,.0f} MiB"
