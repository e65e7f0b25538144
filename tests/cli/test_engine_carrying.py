"""Engines of one machine on another: built like a film, exported, imported, and found there; engines are real ones."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import numpy_helper

from tests.support import ROOT
from tests.video import ffmpeg
from trt_build.engines.cache import EngineCache
from trt_build.engines.carry import SUMS
from trt_build.engines.runtimes import missing
from trt_build.model_file import ModelFile, write
from vs_interp.cli.main import group
from vs_interp.errors import ArgumentError, BackendError, DownloadError
from vs_interp.weights import carried
from vs_interp.weights.catalogue import catalogue
from vs_interp.weights.skeletons import weights_digest

needs_rtx = pytest.mark.skipif(missing("tensorrt-rtx") is not None, reason="tensorrt-rtx is not installed")

RTX = ("--runtime", "tensorrt-rtx", "--gpu", "ada", "--quiet", "--json")
BUNDLED = ROOT / "vs_interp/models/fsrcnn-x2.onnx"


def run(*arguments: str | Path) -> str:
    """What a command prints on standard output; what it raises is raised."""
    done = CliRunner().invoke(group, [*map(str, arguments)], catch_exceptions=False, standalone_mode=False)
    return done.stdout


def ask(*arguments: str | Path) -> Result:
    """A command's exit code and what it prints, for one that answers by its exit code."""
    return CliRunner().invoke(group, [*map(str, arguments)], catch_exceptions=False)


def own_model(path: Path) -> Path:
    """A model that no catalogue knows: FSRCNN with weights of its own."""
    graph = onnx.load(BUNDLED)
    first = graph.graph.initializer[0]
    values = numpy_helper.to_array(first) * np.float32(1.001)
    first.CopyFrom(numpy_helper.from_array(values, first.name))
    write(graph, path)
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten bits, full range, BT.2020, chroma at the top left: nothing is as it is by default."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x64:r=24:d=0.2", "-pix_fmt", "yuv420p10le", "-c:v", "libx265",
           "-x265-params", "log-level=none:range=full:colormatrix=bt2020nc:chromaloc=2",
           "-colorspace", "bt2020nc", "-color_range", "pc", path)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def made(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the machine that builds: an engine of bundled weights, and one of its own model."""
    folder = tmp_path_factory.mktemp("made")
    for model in ("fsrcnn-x2", str(own_model(folder / "mine.onnx"))):
        run("build", model, "--like", film, "-o", folder, *RTX)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of the machine that serves."""
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


@needs_rtx
def test_like_takes_all_of_a_films_format(made: Path) -> None:
    for entry in EngineCache(made).entries():
        assert entry.key is not None
        profile = entry.key.profile
        assert (profile.width, profile.height, profile.planes.name) == (128, 64, "YUV420P10")
        assert (profile.planes.matrix, profile.planes.full_range, profile.planes.siting) == ("2020", True, "top_left")


@pytest.mark.parametrize(
    "option", [("--size", "64x64"), ("--format", "YUV420P8"), ("--matrix", "709"), ("--full-range",)]
)
def test_what_like_says_is_not_said_twice(option: tuple[str, ...], film: Path) -> None:
    with pytest.raises(ArgumentError, match=f"--like says what {option[0]} says"):
        run("build", "fsrcnn-x2", "--like", film, *option, *RTX)


@needs_rtx
@pytest.mark.parametrize("target", ["engines.zip", "engines"])
def test_what_is_exported_is_found_where_it_is_imported(target: str, film: Path, made: Path, elsewhere: Path) -> None:
    """Engines, scores and the model that is no catalogue's; its own list fits by sha256sum's reading, too."""
    parcel = elsewhere.parent / target
    report = json.loads(run("engines", "export", parcel, "--folder", made, "--model", made / "mine.onnx", "--json"))
    assert len(report["engines"]) == 2 and report["models"] == ["mine.onnx"]
    if parcel.is_dir():
        assert len((parcel / SUMS).read_text().splitlines()) == 5
        for line in (parcel / SUMS).read_text().splitlines():
            digest, _, name = line.partition("  ")
            assert hashlib.sha256((parcel / name).read_bytes()).hexdigest() == digest
    taken = json.loads(run("engines", "import", parcel, "--json"))
    assert [row["state"] for row in taken[:2]] == ["taken in"] * 2 and all(row["fault"] is None for row in taken)
    model = elsewhere / "models" / "mine.onnx"
    assert model.read_bytes() == (made / "mine.onnx").read_bytes()
    here, there = (
        {entry.digest: entry for entry in EngineCache(folder).entries()} for folder in (elsewhere / "engines", made)
    )
    assert here.keys() == there.keys()
    for digest, entry in here.items():
        assert entry.about == there[digest].about and entry.path.read_bytes() == there[digest].path.read_bytes()
    for name in ("fsrcnn-x2", model):
        answer = ask("engines", "which", film, name, "--gpu", "RTX 4070", "--json", "--quiet")
        assert answer.exit_code == 0
        assert json.loads(answer.stdout)["engine"] in here
    again = json.loads(run("engines", "import", parcel, "--json"))
    assert [row["state"] for row in again[:2]] == ["is here already"] * 2


@needs_rtx
def test_which_says_what_each_engine_lacks(film: Path, made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=24:d=0.2", "-pix_fmt", "yuv420p", "-c:v", "libx264", other)

    def asked(clip: Path, *more: str) -> Result:
        return ask("engines", "which", clip, "fsrcnn-x2", "--folder", made, "--quiet", *more)

    fits = asked(film, "--gpu", "ada")
    assert fits.exit_code == 0 and "it is measured there at its first use" in fits.stdout.splitlines()[0]
    assert fits.stdout.splitlines()[1].endswith(": of other weights of fsrcnn")
    differs = asked(other, "--gpu", "sm_86")
    assert differs.exit_code == 1
    first, nearest, farthest = differs.stdout.splitlines()
    assert first == (
        "96x64 YUV420P8 (BT.601, left, limited range) on sm_86: no engine of tensorrt-rtx serves it yet, and the first"
        " use builds one"
    )
    assert nearest.endswith(
        ": for 128x64, not 96x64; for YUV420P10, not YUV420P8; for BT.2020, not BT.601; for full range, not limited;"
        " for chroma top_left, not left; for sm_89, not sm_86"
    )
    assert ": of other weights of fsrcnn; for 128x64" in farthest
    options = asked(film, "--gpu", "ada", "--backend", "tensorrt-rtx:optimization=5,streams=1")
    assert options.stdout.splitlines()[1].endswith(
        ": built with optimization 3, not 5; built with auxiliary streams off, not on"
    )


@needs_rtx
def test_which_says_that_an_engine_of_a_range_would_do(film: Path, tmp_path: Path) -> None:
    run("build", "fsrcnn-x2", "--like", film, "--dynamic", "64x64", "128x64", "256x128", "-o", tmp_path, *RTX)
    asked = ("engines", "which", film, "fsrcnn-x2", "--gpu", "ada", "--folder", tmp_path, "--quiet")
    alone = ask(*asked)
    text = "tensorrt-rtx:dynamic=64x64+128x64+256x128"
    assert alone.exit_code == 1 and f"for a range of sizes, which {text} serves" in alone.stdout
    assert ask(*asked, "--backend", text).exit_code == 0


def test_which_where_no_engine_would_serve(film: Path) -> None:
    with pytest.raises(ArgumentError, match="openvino would serve here, which has no engines"):
        run("engines", "which", film, "fsrcnn-x2", "--backend", "openvino", "--quiet")


@needs_rtx
def test_a_model_that_is_not_here_by_name_must_be_given(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"weights of fsrcnn .* are not here: give --model FILE"):
        run("engines", "export", tmp_path / "engines.zip", "--folder", made)
    assert list(tmp_path.iterdir()) == []


@needs_rtx
def test_nothing_of_the_users_is_overwritten(made: Path, tmp_path: Path) -> None:
    for target in (tmp_path / "engines.zip", tmp_path / "full" / "file"):
        target.parent.mkdir(exist_ok=True)
        target.write_text("mine")
    for target in (tmp_path / "engines.zip", tmp_path / "full"):
        with pytest.raises(ArgumentError, match="exists: name another"):
            run("engines", "export", target, "--folder", made, "--model", made / "mine.onnx")
    assert (tmp_path / "engines.zip").read_text() == "mine"


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
    with pytest.raises(BackendError, match="1 of 3 files were not taken in: it was never measured against FP32"):
        run("engines", "import", parcel)
    assert entry.digest not in {each.digest for each in EngineCache(elsewhere / "engines").entries()}


def replaced(parcel: Path, name: str, content: bytes, as_name: str | None = None) -> None:
    """Put a file into a parcel of another's making, whose list says what is in it."""
    (parcel / (as_name or name)).write_bytes(content)
    lines = [line for line in (parcel / SUMS).read_text().splitlines() if not line.endswith(name)]
    lines.append(f"{hashlib.sha256(content).hexdigest()}  {as_name or name}")
    (parcel / SUMS).write_text("\n".join(lines) + "\n")


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
        (flip_and_list, "its checksum does not fit"),
        (rename, "it is not what its name says"),
        (lose, "is missing: carry it again"),
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
    assert "\n" not in str(raised.value) and "files were not taken in" in str(raised.value)
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
        with pytest.raises(BackendError, match="is no list of engines and models"):
            run("engines", "import", parcel)
    assert not elsewhere.exists()


def test_what_is_no_parcel_says_so(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as file:
        file.writestr("other", "")
    said = {"text.zip": "is no zip file", "none.zip": "does not exist", "empty.zip": "holds no SHA256SUMS"}
    for name, message in {**said, ".": "holds no SHA256SUMS"}.items():
        with pytest.raises(BackendError, match=message):
            run("engines", "import", tmp_path / name)


def test_a_name_of_the_catalogue_is_for_its_weights_alone(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are refused under it; those go where filters find them by that name."""
    path = own_model(tmp_path / "rife-4.25.onnx")
    model, content = ModelFile.load(path), path.read_bytes()
    with pytest.raises(DownloadError, match=r"is not rife-4\.25: its weights are others"):
        carried.put_in_place("rife-4.25.onnx", model, content)
    entry = replace(catalogue()["rife-4.25"], network="fsrcnn", weights=weights_digest(model.graph))
    monkeypatch.setattr(carried, "catalogue", lambda: {"rife-4.25": entry})
    assert not carried.is_here(model.identity, "fsrcnn")
    assert carried.put_in_place("rife-4.25.onnx", model, content) == elsewhere / "weights" / "rife-4.25.onnx"
    assert carried.weights_of(model.identity, "fsrcnn") == entry


def test_another_model_of_that_name_stays(elsewhere: Path, tmp_path: Path) -> None:
    path = own_model(tmp_path / "mine.onnx")
    place = carried.put_in_place("mine.onnx", ModelFile.load(path), path.read_bytes())
    assert carried.put_in_place("mine.onnx", ModelFile.load(path), path.read_bytes()) == place
    with pytest.raises(ArgumentError, match="is another model than the one that came"):
        carried.put_in_place("mine.onnx", ModelFile.load(BUNDLED), BUNDLED.read_bytes())


@needs_rtx
def test_sha256sum_reads_the_list(made: Path, tmp_path: Path) -> None:
    parcel = tmp_path / "parcel"
    run("engines", "export", parcel, "--folder", made, "--model", made / "mine.onnx")
    try:
        done = subprocess.run(["sha256sum", "-c", SUMS], cwd=parcel, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no sha256sum here")
    assert done.returncode == 0 and done.stdout.count(": OK") == 5
