"""``vs-interp dataset``: make a data set from video files, check one, or show what is in it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError, DatasetError

from .options import Whole, json_option, quiet_option
from .progress import frames_done

if TYPE_CHECKING:
    from vs_interp.datasets.footage import Footage
    from vs_interp.datasets.video import Video

GAPS = (2, 4)
"""The distances, in frames, between the two inputs of the windows that ``show`` counts."""

of_split = click.option(
    "--split", type=click.Choice(("train", "validation", "test")), default="train", show_default=True,
    help="Which part of the data set, if its layout has several.",
)  # fmt: skip


@click.group(name="dataset")
def command() -> None:
    """Make, check and show data sets for training."""


@command.command()
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Must not exist.")
@click.option(
    "--height", type=Whole(min=16), default=720, show_default=True,
    help="Scale larger frames down to this height.",
)  # fmt: skip
@quiet_option
@json_option
def make(videos: Sequence[Path], output: Path, height: int, quiet: bool, as_json: bool) -> None:
    """Decode VIDEOs into a folder of shards.  Recipes name it as shards:DIR.

    Sequences end at scene cuts, at repeated frames and at gaps in time; those shorter than three frames are left out.
    A frame of 1280x720 takes 1.4 MB.

    \b
    Examples:
      vs-interp dataset make film.mkv -o film-720
      vs-interp dataset make *.mp4 -o clips-360 --height 360
    """
    _check_output(output)
    from vs_interp.datasets.shards import make_shards
    from vs_interp.datasets.video import Video

    opened = [Video(path, height) for path in videos]
    _check_space(opened, output.absolute().parent)
    start = time.monotonic()
    with frames_done(sum(video.expected for video in opened), quiet=quiet) as advance:

        def read(count: int) -> None:
            for _ in range(count):
                advance()

        index = make_shards(opened, output, read)
    size = sum(file.stat().st_size for file in output.iterdir())
    summary = {
        "output": str(output),
        "sequences": len(index.runs),
        "frames": sum(index.frames),
        "bytes": size,
        "seconds": round(time.monotonic() - start, 3),
        "videos": index.videos,
    }
    if as_json:
        click.echo(json.dumps(summary))
        return
    for video in index.videos:
        ends = ", ".join(f"{video[name]} {what}" for name, what in ENDS.items() if video[name])
        click.echo(f"{video['name']}: {video['kept']} of {video['frames']} frames kept{f'; {ends}' if ends else ''}")
    click.echo(f"{output}: {sum(index.frames)} frames in {_sequences(len(index.runs))}, {size / 1e6:.0f} MB")


ENDS = {
    "cuts": "cuts",
    "stills": "repeated frames",
    "uneven": "gaps in time",
    "damaged": "damaged frames",
}
"""What ends sequences: key in the index → its name in the summary."""


@command.command()
@click.argument("dataset")
@of_split
@quiet_option
@json_option
def check(dataset: str, split: str, quiet: bool, as_json: bool) -> None:
    """Read every frame of DATASET, and list what is damaged or missing.

    \b
    Examples:
      vs-interp dataset check film-720
      vs-interp dataset check vimeo-triplet:vimeo_triplet --split test
    """
    footage = _open(dataset, split)
    frames, problems = sum(footage.lengths), []
    with frames_done(frames, quiet=quiet) as advance:
        for problem in footage.check():
            advance()
            if problem is not None:
                problems.append(problem)
    if as_json:
        click.echo(json.dumps({"frames": frames, "problems": problems}))
    else:
        for problem in problems:
            click.echo(problem)
        click.echo(f"{dataset}: {f'{len(problems)} of ' if problems else ''}{frames} frames {_verdict(problems)}")
    if problems:
        raise click.exceptions.Exit(2)


@command.command()
@click.argument("dataset")
@of_split
@json_option
def show(dataset: str, split: str, as_json: bool) -> None:
    """Show what is in DATASET, a folder of shards or LAYOUT:PATH.

    \b
    Examples:
      vs-interp dataset show film-720
      vs-interp dataset show reds:REDS --split validation --json
    """
    contents = _describe(_open(dataset, split))
    if as_json:
        click.echo(json.dumps(contents))
        return
    click.echo(f"{contents['frames']} frames in {_sequences(contents['sequences'])} of {contents['lengths']} frames")
    click.echo(f"{contents['size']}{f', small {contents["small"]}' if contents['small'] else ''} (the first sequence)")
    for gap, windows in contents["windows"].items():
        click.echo(f"{windows} windows for interpolation over {gap} frames")


def _open(dataset: str, split: str) -> Footage:
    from vs_interp.datasets.readers import open_footage

    return open_footage(f"shards:{dataset}" if Path(dataset).is_dir() else dataset, split)


def _describe(footage: Footage) -> dict[str, Any]:
    from fractions import Fraction

    from vs_interp.datasets.windows import cut_windows
    from vs_interp.spec import NetworkSpec

    def windows(gap: int) -> int:
        try:
            return len(cut_windows(footage, NetworkSpec(name="interpolation"), (gap,), (Fraction(1, 2),)))
        except DatasetError:
            return 0

    shortest, longest = min(footage.lengths), max(footage.lengths)
    return {
        "sequences": len(footage.lengths),
        "frames": sum(footage.lengths),
        "lengths": str(longest) if shortest == longest else f"{shortest} to {longest}",
        "size": str(footage.frame_size(0)),
        "small": str(footage.small.frame_size(0)) if footage.small else None,
        "windows": {gap: windows(gap) for gap in GAPS},
    }


def _sequences(count: int) -> str:
    return f"{count} sequence{'s' if count > 1 else ''}"


def _verdict(problems: Sequence[str]) -> str:
    return "are damaged or missing" if problems else "are good"


def _check_output(output: Path) -> None:
    if output.exists():
        raise ArgumentError(f"{output} exists: remove it, or name another folder")
    if not output.absolute().parent.is_dir():
        raise ArgumentError(f"the folder {output.parent} does not exist: make it first")


def _check_space(videos: Sequence[Video], folder: Path) -> None:
    """Raise :class:`ArgumentError` if the frames that the videos announce do not fit on the disk."""
    needed, free = sum(video.expected * video.frame_format.bytes for video in videos), shutil.disk_usage(folder).free
    if needed > free:
        raise ArgumentError(
            f"the frames may take {needed / 1e9:.1f} GB, but {folder} has only {free / 1e9:.1f} GB free: "
            "give a smaller --height, fewer videos or another disk"
        )
