"""Every command in the README and in docs/, from a repository's root as it stands there, and every script.

Commands run in one folder, in the order of the pages, with a film called in.mkv.  What needs a network, a GPU or a data
set that nobody has is only read: that its command, options and values exist.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from vs_interp.cli.main import group
from vs_interp.errors import VsInterpError
from vs_interp.films.ffmpeg import find_ffmpeg

from .command_line import run
from .support import ROOT
from .video import make_film

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

ONLY_READ = {
    "weights get": "fetches",
    "gpu current": "needs a GPU",
    "1920x1080": "builds for minutes",
    "--backend tensorrt": "needs a GPU",
    "vimeo": "needs a data set",
    "clips/*": "needs films",
    "4x_something": "needs a checkpoint",
    "RTX 4090": "is the builder's own test",
    "engines export": "has tests of its own, tests/cli/carrying",
    "engines import": "has a test of its own",
    "engines which": "has a test of its own",
    '--gpu "RTX 4070"': "has a test of its own",
    "train recipes": "trains for hours",
    "runs/own-clips": "follows a training",
    "torchrun": "trains for hours",
    "export runs/super-slomo-small": "follows a training",
    "05_mpv": "has a test of its own, with a stand-in for mpv",
    "CHECKPOINT": "needs a checkpoint",
    "bbb.mp4": "needs a film",
    "vs-interp demo": "has a test of its own",
    "--for vs-mlrt": "needs weights that are fetched",
    "--interpolate rife": "needs weights that are fetched",
    "evaluate rife": "needs weights that are fetched",
    "bench rife": "needs weights that are fetched",
    "raft-small": "needs weights that are fetched",
    "span-x2": "needs weights that are fetched",
    "bench script.vpy": "needs a script",
    "out.mkv.job": "follows a job that was broken off",
    "dask scheduler": "runs until it is stopped",
    "vs-interp worker": "runs until its scheduler goes",
    "--cluster": "needs a cluster: examples/06_many_machines.sh is run by a test of its own",
}
"""Part of a command → why it is read and not run."""

SETUP = re.compile(r"^(pip install|python3? -m venv|\. \.venv|eval )")


def blocks(page: Path, languages: str) -> Iterator[str]:
    """Give the code blocks of a page."""
    yield from re.findall(
        rf"^```(?:{languages})\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def commands() -> list[tuple[str, str]]:
    """Return page and command of all there are, without the remarks beside them."""
    found = []
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s+#.*$|^#.*$", "", line).strip()
                if command:
                    found.append((page.name, command))
    return found


def is_run(command: str) -> bool:
    return (
        not SETUP.match(command) and not command.startswith("make ") and not any(part in command for part in ONLY_READ)
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the repository's root, with what a reader would have: a film, and a few pictures."""
    folder = tmp_path_factory.mktemp("root")
    for path in ROOT.iterdir():
        if path.name not in (".git", ".venv", "build", "runs", "clips"):
            (folder / path.name).symlink_to(path)
    make_film(folder / "in.mkv")
    (folder / "films").mkdir()
    (folder / "films" / "in.mkv").symlink_to(folder / "in.mkv")
    (folder / "kodak").mkdir()
    for number in range(2):
        rows, columns = np.mgrid[:64, :96]
        wave = np.sin(columns / (5 + number)) + np.cos(rows / 7)
        picture = (127 + 60 * wave).clip(0, 255).astype(np.uint8)
        Image.fromarray(np.dstack([picture] * 3)).save(folder / "kodak" / f"kodim{number}.png")
    return folder


def test_no_page_shows_commands_in_another_way() -> None:
    """Indented blocks are not read by these tests."""
    for page in PAGES:
        outside = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        assert not re.findall(r"^ {4}(?:vs-interp|pip|vspipe|make|bash) .*$", outside, re.MULTILINE), page


@pytest.mark.parametrize(("page", "command"), [known for known in commands() if not is_run(known[1])])
def test_a_command_that_is_not_run_here_exists(
    page: str, command: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    words = shlex.split(command)
    while "=" in words[0]:
        words.pop(0)
    if words[0] == "make":
        done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    elif words[0] == "pip":
        known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
        extras = [extra for word in words for inner in re.findall(r"\[(.*)\]", word) for extra in inner.split(",")]
        assert set(extras) <= set(known)
    elif "vs-interp" in words or "vs_interp" in words:
        place = words.index("vs-interp" if "vs-interp" in words else "vs_interp")
        read(words[place + 1 :])


def read(arguments: list[str]) -> None:
    """Let click read a command line to its end, without running it."""
    command: click.Command = group
    context = click.Context(group, info_name="vs-interp")
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments.pop(0))
        assert found is not None
        command = found
    command.make_context(command.name, arguments, parent=context)


@pytest.mark.slow
def test_the_commands_run_from_the_root(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ffmpeg").symlink_to(find_ffmpeg())
    monkeypatch.chdir(root)
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), str(programs), os.environ["PATH"]]))
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    for command, page in {command: page for page, command in commands() if is_run(command)}.items():
        for name in ("out.mkv", "with-sound.mkv", "large.mkv"):
            (root / name).unlink(missing_ok=True)
        words = [
            str(found)
            for word in shlex.split(command)
            for found in (sorted(Path().glob(word)) if "*" in word else [word])
        ]
        if words[0] == "vs-interp":
            code, said = run(*words[1:]), ""
        else:
            done = subprocess.run(
                ["bash", "-c", command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                check=False,
            )
            code, said = done.returncode, done.stderr
        assert code == 0 or (words[1] == "doctor" and code == 1), f"{page}: {command}: {said}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_scripts_in_pages_run(page: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as their nodes, frames are what other tests ask for; and as far as the films and weights that are here."""
    import vapoursynth as vs

    monkeypatch.chdir(root)
    for block in blocks(page, "python"):
        clip = vs.core.std.BlankClip(format=vs.YUV420P8, width=96, height=64, length=24)
        try:
            exec(compile(block, str(page), "exec"), {"clip": clip})
        except (vs.Error, VsInterpError) as error:
            assert re.search("are not here yet|there is no (model|such) file|exist", str(error)), error
        vs.clear_outputs()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


def test_pages_are_in_the_navigation_and_their_links_lead_somewhere() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES:
        if page.parent.name == "docs":
            assert f": {page.name}\n" in navigation, page.name
        for link in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
