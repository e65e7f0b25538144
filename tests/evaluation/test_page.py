"""The page of an evaluation: sound HTML that asks nothing of any server, and works in a browser where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from tests import command_line
from tests.moving_footage import moved

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "link", "img", "input", "br", "hr", "line", "path"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on pictures in a folder whose name tries to be part of it."""
    root = tmp_path_factory.mktemp("page")
    folder = root / "a<b> & 'c'"
    folder.mkdir()
    for number in range(9):
        Image.fromarray(moved(2 * number)).save(folder / f"{number}.png")
    path = root / "report.html"
    given = ["--against", "blend,flavr-small-2x", "--backend", "openvino:streams=1", "--quiet", "--page", path]
    assert command_line.run("evaluate", "super-slomo-small", folder, *given) == 0
    return path


class Sound(HTMLParser):
    """Notes elements that are not closed in order, ids that are there twice, and references to elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.labelled: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.labelled += [given[name] or "" for name in ("aria-labelledby", "for") if name in given]
        if tag == "img" and not given.get("alt"):
            self.wrong.append("a picture without words")
        self.wrong += [
            value for name, value in attrs if name in ("src", "href") and not (value or "").startswith("data:")
        ]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(f"</{tag}> closes nothing")


def checked(text: str) -> None:
    sound = Sound()
    sound.feed(text)
    sound.close()
    assert not sound.wrong and not sound.open
    assert len(sound.ids) == len(set(sound.ids))
    assert set(sound.labelled) <= set(sound.ids)


def test_the_page_is_sound_and_complete_in_itself(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    checked(text)
    assert "{{" not in text and "<b>" not in text.split("<script")[0]
    assert not re.search(r"https?://", text)
    assert "default-src 'none'" in text
    for words in ("super-slomo-small", "blend", "flavr-small-2x", "PSNR", "SHA-256", "openvino", "<svg", "kMAC"):
        assert words in text


def dumped(page: Path, tmp_path: Path, *, keys: str = "", address: str = "") -> str:
    """Return the document as a browser has it after some keys were pressed."""
    assert CHROMIUM is not None
    pressing = f"""<script>for (const key of {list(keys)!r})
        document.body.dispatchEvent(new KeyboardEvent("keydown", {{key, bubbles: true}}));</script>"""
    copy = tmp_path / "page.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{pressing}</body>"), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
               "--virtual-time-budget=5000", "--dump-dom", f"file://{copy}{address}"]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=200).stdout


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian's package chromium)")
def test_a_browser_flips_wipes_and_goes_from_picture_to_picture(report: Path, tmp_path: Path) -> None:
    first = dumped(report, tmp_path)
    checked(first)
    stage = re.search(r'<div id="stage".*?</div>', first, re.DOTALL)
    assert stage is not None
    assert len(re.findall("<img", stage[0])) == 6  # before, after, three methods, truth
    assert re.search(
        r'class="first"[^>]*data-name="super-slomo-small"|data-name="super-slomo-small"[^>]*class="first"', stage[0]
    )
    pressed = dumped(report, tmp_path, keys="4w")
    shown = re.search(r'<div id="stage" class="([^"]*)".*?</div>', pressed, re.DOTALL)
    assert shown is not None and "wipe" in shown[1]
    assert re.search(r'data-name="blend"[^>]*class="first"|class="first"[^>]*data-name="blend"', shown[0])
    assert re.search(r'data-name="truth"[^>]*class="second"|class="second"[^>]*data-name="truth"', shown[0])
    linked = dumped(report, tmp_path, address="#case=1&show=truth&beside=blend&how=difference")
    assert re.search(r'<div id="stage" class="[^"]*difference', linked)
    assert "truth" in (re.search(r'<p id="caption".*?</p>', linked, re.DOTALL) or [""])[0]
