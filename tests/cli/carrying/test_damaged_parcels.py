"""What is damaged, unmeasured or no parcel at all stays out, and names in it never become paths."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.carrying.engines import needs_rtx, run
from trt_build.engines.cache import EngineCache
from trt_build.engines.carry import SUMS
from vs_interp.errors import BackendError


def replaced(parcel: Path, name: str, content: bytes, as_name: str | None = None) -> None:
    """Put a file into a parcel of another's making, whose list says what is in it."""
    (parcel / (as_name or name)).write_bytes(content)
    lines = [line for line in (parcel / SUMS).read_text().splitlines() if not line.endswith(name)]
    lines.append(f"{hashlib.sha256(content).hexdigest()}  {as_name or name}")
    (parcel / SUMS).write_text("\n".join(lines) + "\n")


@needs_rtx
def test_an_engine_that_was_never_measured_is_not_carried(made: Path, elsewhere: Path, tmp_path: Path) -> None:
    """Neither out nor, where another program has packed it, in."""
    cache = EngineCache(made)
    entry = next(iter(cache.entries()))
    described = entry.path.with_suffix(".json")
    measured = described.read_text()
    parcel = tmp_path / "parcel"
    run("engines", "export", parcel, "--folder", made, "--model", made / "mine.onnx")
    described.write_text(json.dumps({**entry.about, "psnr": None}))
    try:
        with pytest.raises(BackendError, match="never measured against FP32"):
            run(
                "engines", "export", tmp_path / "one.zip", entry.digest, "--folder", made, "--model", made / "mine.onnx"
            )
        rest = json.loads(
            run("engines", "export", tmp_path / "rest.zip", "--folder", made, "--model", made / "mine.onnx", "--json")
        )
        assert entry.digest not in rest["engines"] and len(rest["engines"]) == 1
        replaced(parcel, f"{entry.digest}.json", described.read_bytes())
    finally:
        described.write_text(measured)
    with pytest.raises(BackendError, match="1 of 3 files were not imported: it was never measured against FP32"):
        run("engines", "import", parcel)
    assert entry.digest not in {each.digest for each in EngineCache(elsewhere / "engines").entries()}


@needs_rtx
@pytest.mark.parametrize("target", ["parcel", "parcel.zip"])
def test_a_damaged_engine_leaves_no_half_parcel(target: str, made: Path, tmp_path: Path) -> None:
    """Else the next export, without that engine, would be refused because something is there."""
    cache = EngineCache(Path(shutil.copytree(made, tmp_path / "made")))
    last = list(cache.entries())[-1]
    last.path.write_bytes(last.path.read_bytes()[:-1])
    with pytest.raises(BackendError, match="checksum does not match"):
        run("engines", "export", tmp_path / target, "--folder", cache.folder, "--model", made / "mine.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def flip(parcel: Path, digest: str) -> None:
    path = parcel / f"{digest}.engine"
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)


def flip_and_list(parcel: Path, digest: str) -> None:
    flip(parcel, digest)
    replaced(parcel, f"{digest}.engine", (parcel / f"{digest}.engine").read_bytes())


def rename(parcel: Path, digest: str) -> None:
    for ending in ("engine", "json"):
        content = (parcel / f"{digest}.{ending}").read_bytes()
        replaced(parcel, f"{digest}.{ending}", content, as_name=f"{'0' * 64}.{ending}")


def lose(parcel: Path, digest: str) -> None:
    (parcel / f"{digest}.engine").unlink()


def blur(parcel: Path, digest: str) -> None:
    about = json.loads((parcel / f"{digest}.json").read_text())
    about["key"]["profile"]["planes"]["subsampling"] = 3
    replaced(parcel, f"{digest}.json", json.dumps(about).encode())


def unsay(parcel: Path, digest: str) -> None:
    about = json.loads((parcel / f"{digest}.json").read_text())
    replaced(parcel, f"{digest}.json", json.dumps({**about, "psnr": {"film": "good"}}).encode())


@needs_rtx
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (flip, "is not what was packed"),
        (flip_and_list, "its checksum does not match"),
        (rename, "it is not what its name says"),
        (lose, "is missing: copy it again"),
        (blur, "its description cannot be read"),
        (unsay, "its description cannot be read"),
    ],
)
def test_what_is_damaged_stays_out_and_the_rest_comes_in(
    harm: Callable[[Path, str], None], message: str, made: Path, elsewhere: Path, tmp_path: Path
) -> None:
    parcel = tmp_path / "parcel"
    report = json.loads(run("engines", "export", parcel, "--folder", made, "--model", made / "mine.onnx", "--json"))
    bad, good = report["engines"]
    harm(parcel, bad)
    with pytest.raises(BackendError, match=message) as raised:
        run("engines", "import", parcel)
    assert "\n" not in str(raised.value) and "files were not imported" in str(raised.value)
    assert [entry.digest for entry in EngineCache(elsewhere / "engines").entries()] == [good]


@pytest.mark.parametrize("name", ["../up.onnx", "/etc/passwd", "a/b.engine", "..", ".hidden.onnx", "x.exe", ""])
def test_names_of_a_parcel_never_become_paths(name: str, elsewhere: Path, tmp_path: Path) -> None:
    content = b"anything"
    (tmp_path / SUMS).write_text(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.write(tmp_path / SUMS, SUMS)
        file.writestr(name or "empty", content)
    for parcel in (tmp_path, packed):
        with pytest.raises(BackendError, match="is not a list of engines and models"):
            run("engines", "import", parcel)
    assert not elsewhere.exists()


def test_what_is_no_parcel_says_so(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as file:
        file.writestr("other", "")
    said = {"text.zip": "is not a zip file", "none.zip": "does not exist", "empty.zip": "holds no SHA256SUMS"}
    for name, message in {**said, ".": "holds no SHA256SUMS"}.items():
        with pytest.raises(BackendError, match=message):
            run("engines", "import", tmp_path / name)
