"""Reading weights: published layouts, our own, and everything else that people hand over."""

from __future__ import annotations

import datetime
import json
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from trt_build.model_file import PREFIX, WEIGHTS_KEY
from vs_interp.errors import CheckpointError
from vs_interp.networks.flavr import Flavr, FlavrConfig
from vs_interp.networks.fsrcnn import Fsrcnn, FsrcnnConfig
from vs_interp.networks.span import Span, SpanConfig
from vs_interp.networks.super_slomo import SuperSloMo, SuperSloMoConfig
from vs_interp.weights.catalogue import resolve
from vs_interp.weights.checkpoint import load_checkpoint, load_mean


def published_super_slomo(network: SuperSloMo) -> dict[str, Any]:
    """The layout of SuperSloMo.ckpt: two state dictionaries and a date beside them."""
    return {
        "Detail": "End to end Super SloMo.",
        "epoch": 199,
        "timestamp": datetime.datetime(2018, 11, 22, 21, 27, 5),
        "state_dictFC": network.flow_network.state_dict(),
        "state_dictAT": network.synthesis_network.state_dict(),
    }


def own_layout(path: Path, module: torch.nn.Module, **changes: str) -> Path:
    """Weights as our training writes them, with some of the metadata changed."""
    metadata = {"network": module.spec.name, "config": json.dumps(asdict(module.config)), **changes}  # type: ignore[union-attr,operator,arg-type]
    save_file(module.state_dict(), path, metadata)
    return path


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    weights, others = one.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.mark.parametrize(("width", "skip", "kernel"), [(2, "late", 7), (3, "early", 9)])
def test_the_published_super_slomo_says_its_width_and_kind(tmp_path: Path, width: int, skip: Any, kernel: int) -> None:
    original = SuperSloMo(SuperSloMoConfig(width=width, skip=skip, first_kernel=kernel))
    torch.save(published_super_slomo(original), tmp_path / "SuperSloMo.ckpt")
    network = load_checkpoint(tmp_path / "SuperSloMo.ckpt")
    assert isinstance(network, SuperSloMo)
    assert (network.config.width, network.config.skip, network.config.first_kernel) == (width, skip, kernel)
    assert same(network, original)
    assert not network.training


@pytest.mark.parametrize(("factor", "bias", "tensors"), [(2, False, 59), (4, True, 76), (8, True, 76)])
def test_the_published_flavr_says_its_factor(tmp_path: Path, factor: int, bias: bool, tensors: int) -> None:
    original = Flavr(FlavrConfig(factor=factor, width=2, encoder_bias=bias))
    state = {f"module.{name}": value for name, value in original.state_dict().items()}
    assert len(state) == tensors
    optimiser = {"state": {0: {"exp_avg": torch.zeros(3)}}}
    torch.save({"state_dict": state, "optimizer": optimiser, "epoch": 7}, tmp_path / "FLAVR.pth")
    network = load_checkpoint(tmp_path / "FLAVR.pth")
    assert network.config == original.config
    assert same(network, original)


def test_a_fused_span_is_read_under_params(tmp_path: Path) -> None:
    original = Span(SpanConfig(scale=2, features=4))
    torch.save({"params_ema": original.state_dict()}, tmp_path / "span.pth")
    network = load_checkpoint(tmp_path / "span.pth")
    assert network.config == original.config
    assert same(network, original)


def test_our_own_layout_carries_its_configuration(tmp_path: Path) -> None:
    original = Fsrcnn(FsrcnnConfig(scale=3, features=5, mappings=1))
    network = load_checkpoint(own_layout(tmp_path / "own.safetensors", original))
    assert network.config == original.config
    assert same(network, original)


def test_published_layouts_are_read_from_safetensors_too(tmp_path: Path) -> None:
    original = Span(SpanConfig(scale=2, features=4))
    save_file(original.state_dict(), tmp_path / "span.safetensors")
    network = load_checkpoint(tmp_path / "span.safetensors")
    assert network.config == original.config
    assert same(network, original)


def test_a_span_with_half_of_its_training_branches_is_one_line(tmp_path: Path) -> None:
    state = Span(SpanConfig(scale=2, features=4)).state_dict()
    torch.save({**state, "conv_1.sk.weight": torch.zeros(4, 3, 1, 1)}, tmp_path / "span.pth")
    with pytest.raises(CheckpointError, match=r"span\.pth lacks the tensor 'conv_1\.conv\.0\.weight'"):
        load_checkpoint(tmp_path / "span.pth")


class Bomb:
    """Unpickled by Python itself, this would make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_that_would_run_code_is_refused_and_does_not(tmp_path: Path, how: str) -> None:
    path, target = tmp_path / "bomb.pth", tmp_path / "ran"
    content = {"state_dictFC": {"conv1.weight": torch.zeros(1)}, "bomb": Bomb(target)}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps({"bomb": Bomb(target)}, protocol=2))
    with pytest.raises(CheckpointError, match=r"bomb\.pth is refused: it holds Python objects that would run code"):
        load_checkpoint(path)
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"# text\n", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04" + bytes(60)])
def test_what_is_no_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    for name, kind in (("file.pth", "not a PyTorch checkpoint"), ("file.safetensors", "not a safetensors file")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=f"{name} is {kind}, or a truncated one"):
            load_checkpoint(tmp_path / name)


def test_truncated_files_are_one_line(tmp_path: Path) -> None:
    torch.save({"state_dict": Flavr(FlavrConfig(width=2)).state_dict()}, tmp_path / "whole.pth")
    own = own_layout(tmp_path / "own.safetensors", Fsrcnn())
    for whole in (tmp_path / "whole.pth", own):
        content = whole.read_bytes()
        for part in (0.1, 0.5, 0.99):
            whole.write_bytes(content[: int(len(content) * part)])
            with pytest.raises(CheckpointError, match="or a truncated one"):
                load_checkpoint(whole)


def test_missing_files_and_unknown_layouts_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "none.pth")
    torch.save({"a": torch.zeros(1), "b": {"c": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(
        CheckpointError, match=r"does not have the layout of a known network .*; its first tensors: a, b\.c"
    ):
        load_checkpoint(tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="first tensors: none"):
        load_checkpoint(tmp_path / "list.pth")


def test_our_own_layout_must_say_what_it_is(tmp_path: Path) -> None:
    network, path = Fsrcnn(), tmp_path / "own.safetensors"
    save_file(network.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"own\.safetensors does not have the layout of a known network"):
        load_checkpoint(path)
    save_file(network.state_dict(), path, {"network": "fsrcnn"})
    with pytest.raises(CheckpointError, match="holds fsrcnn without its configuration: its metadata needs 'config'"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match=r"holds the network 'other', which is unknown: known are .*rife"):
        load_checkpoint(own_layout(path, network, network="other"))
    for config in ('{"colour": true}', '{"scale": "two"}', '{"features": -1}', "{", "[]", "null"):
        with pytest.raises(CheckpointError, match="has a configuration that fsrcnn does not accept"):
            load_checkpoint(own_layout(path, network, config=config))
    with pytest.raises(CheckpointError, match="does not fit super-slomo: flow_network"):
        load_checkpoint(own_layout(path, network, network="super-slomo", config='{"width": 2}'))


def test_a_damaged_model_file_is_one_line(tmp_path: Path) -> None:
    """Also one whose tensors lie in a file beside it that is missing, or whose parts do not fit together."""
    bundled, path = resolve("fsrcnn-x2"), tmp_path / "own.onnx"

    def damaged() -> None:
        with pytest.raises(CheckpointError, match=r"own\.onnx is not a model file, or a truncated one"):
            load_checkpoint(path)

    path.write_bytes(bundled.read_bytes()[:-9])
    damaged()
    onnx.save(onnx.load(bundled), path, save_as_external_data=True, location="beside", size_threshold=0)
    (tmp_path / "beside").unlink()
    damaged()
    for listed in ("{", "[]", '{"extract.0.weight": []}'):
        graph = onnx.load(bundled)
        onnx.helper.set_model_props(graph, {"network": "fsrcnn", "config": "{}", WEIGHTS_KEY: listed})
        onnx.save(graph, path)
        damaged()
    graph = onnx.load(bundled)
    for part, height in (("[:, 0:1]", 2), ("[:, 1:2]", 3)):
        graph.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((height, 1)), f"{PREFIX}some{part}"))
    onnx.save(graph, path)
    damaged()


def test_the_first_three_of_many_problems_are_named(tmp_path: Path) -> None:
    original = SuperSloMo(SuperSloMoConfig(width=2))
    content = published_super_slomo(original)
    flow = dict(content["state_dictFC"])
    del flow["conv3.weight"], flow["conv3.bias"]
    flow["extra"] = torch.zeros(2)
    flow["down1.conv1.bias"] = torch.zeros(2, 3)
    torch.save({**content, "state_dictFC": flow}, tmp_path / "wrong.ckpt")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "wrong.ckpt")
    problems = str(caught.value).partition("does not fit super-slomo: ")[2]
    assert problems == (
        "flow_network.conv3.weight is missing; flow_network.conv3.bias is missing; "
        "flow_network.extra does not belong to it and 1 more"
    )
    del flow["extra"]
    flow |= {name: content["state_dictFC"][name] for name in ("conv3.weight", "conv3.bias")}
    torch.save({**content, "state_dictFC": flow}, tmp_path / "wrong.ckpt")
    with pytest.raises(CheckpointError, match=r"flow_network\.down1\.conv1\.bias is 2×3 where 4 is needed$"):
        load_checkpoint(tmp_path / "wrong.ckpt")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    network = Fsrcnn()
    network.extract[0].weight.data[0] = float("nan")  # type: ignore[union-attr,operator]
    with pytest.raises(
        CheckpointError, match=r"has NaN or infinite weights in extract\.0\.weight: download or train it again"
    ):
        load_checkpoint(own_layout(tmp_path / "nan.safetensors", network))


def test_several_checkpoints_of_one_network_have_a_mean(tmp_path: Path) -> None:
    """Weights are averaged one by one; networks of another configuration have no mean with it."""
    paths = []
    for number, config in enumerate((FsrcnnConfig(), FsrcnnConfig(), FsrcnnConfig(scale=3))):
        network = Fsrcnn(config)
        with torch.no_grad():
            network.enlarge.weight.fill_(number)
        metadata = {"network": "fsrcnn", "config": json.dumps(asdict(config))}
        paths.append(tmp_path / f"{number}.safetensors")
        save_file(network.state_dict(), paths[-1], metadata)
    mean = load_mean(paths[:2])
    assert isinstance(mean, Fsrcnn) and bool((mean.enlarge.weight == 0.5).all())
    with pytest.raises(CheckpointError, match="they cannot be averaged"):
        load_mean(paths[1:])
