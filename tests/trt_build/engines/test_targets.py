"""GPU names and the runtimes that build for them."""

from __future__ import annotations

import pytest

from trt_build.engines.runtimes import load, missing
from trt_build.engines.targets import RTX_TARGETS, Target, check_supported, parse_target, parse_targets, present_gpus
from vs_interp.errors import ArgumentError, BackendError


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("sm_89", (8, 9)),
        ("SM89", (8, 9)),
        ("8.9", (8, 9)),
        ("120", (12, 0)),
        ("12.0", (12, 0)),
        ("ada", (8, 9)),
        ("turing", (7, 5)),
        ("RTX 4090", (8, 9)),
        ("4090", (8, 9)),
        ("rtx4070ti super", (8, 9)),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", (8, 6)),
        ("NVIDIA GeForce GTX 1660 Ti", (7, 5)),
        ("NVIDIA A100-SXM4-80GB", (8, 0)),
        ("NVIDIA RTX 6000 Ada Generation", (8, 9)),
        ("Quadro RTX 6000", (7, 5)),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", (12, 0)),
        ("NVIDIA RTX A2000 12GB", (8, 6)),
        ("Tesla T4", (7, 5)),
        ("L4", (8, 9)),
        ("L40S", (8, 9)),
        ("NVIDIA H100 PCIe", (9, 0)),
        ("NVIDIA H100 80GB HBM3", (9, 0)),
        ("NVIDIA GeForce RTX 4090 D", (8, 9)),
        ("NVIDIA GeForce GTX 1650 with Max-Q Design", (7, 5)),
        ("NVIDIA RTX 4000 SFF Ada Generation", (8, 9)),
        ("NVIDIA RTX PRO 4000 Blackwell SFF Edition", (12, 0)),
        ("NVIDIA RTX A1000 6GB Laptop GPU", (8, 6)),
        ("NVIDIA GeForce RTX 2050", (8, 6)),
        ("NVIDIA RTX 3500 Ada Generation Laptop GPU", (8, 9)),
        ("H200", (9, 0)),
        ("GB200", (10, 0)),
        ("RTX 5090", (12, 0)),
    ],
)
def test_names_give_the_compute_capability_that_nvidia_lists(name: str, capability: tuple[int, int]) -> None:
    assert parse_target(name) == Target(*capability)


def test_a_list_names_each_target_once_and_in_order() -> None:
    assert list(map(str, parse_targets("ada, RTX 3060,8.9"))) == ["sm_89", "sm_86"]


@pytest.mark.parametrize("name", ["RTX 9999", "", ",", "sm_61", "gtx 1080", "sm_89; rm", "⑧.9"])
def test_an_unknown_gpu_is_an_error_that_lists_the_known(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"known are sm_75.*sm_89.*ada.*RTX 4090.*current"):
        parse_targets(name)


def test_rtx_builds_for_its_own_list_and_says_so() -> None:
    for target in RTX_TARGETS:
        check_supported(target, "tensorrt-rtx")
    with pytest.raises(ArgumentError, match=r"no engines for sm_90, only for .*sm_89.*tensorrt"):
        check_supported(Target(9, 0), "tensorrt-rtx")


@pytest.mark.skipif(missing("tensorrt-rtx") is not None, reason="tensorrt-rtx is not installed")
def test_the_list_is_that_of_the_installed_bindings() -> None:
    names = {name for name in dir(load("tensorrt-rtx").ComputeCapability) if name.startswith("SM")}
    assert {f"SM{target.major}{target.minor}" for target in RTX_TARGETS} == names


@pytest.mark.skipif(bool(list(present_gpus())), reason="this machine has a GPU")
def test_without_a_gpu_only_rtx_can_build_and_current_is_an_error() -> None:
    with pytest.raises(BackendError, match="no usable NVIDIA GPU: name one to build for"):
        parse_target("current")
    with pytest.raises(
        ArgumentError, match=r"only for the GPUs of this machine \(none\), not for sm_89.*--runtime tensorrt-rtx"
    ):
        check_supported(Target(8, 9), "tensorrt")
