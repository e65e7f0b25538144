"""Backends as people type them, in scripts and on the command line."""

from __future__ import annotations

import pytest

from trt_build.backends import Backend, OpenVINO, TensorRT, TensorRTRTX, choose
from trt_build.engines.runtimes import check_runtime
from vs_interp.errors import ArgumentError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("openvino:threads=3,streams=2,precision=bf16", OpenVINO(threads=3, streams=2, precision="bf16")),
        ("OpenVINO", OpenVINO()),
        ("rtx", TensorRTRTX()),
        ("TensorRT_RTX:optimization=5", TensorRTRTX(optimization=5)),
        ("tensorrt:devices=0+1, streams=auto", TensorRT(devices=[0, 1])),
        ("tensorrt:devices=2,workspace=none", TensorRT(devices=[2])),
        (
            "tensorrt:dynamic=256x256+1280x768+1920x1152",
            TensorRT(dynamic=((256, 256), (1280, 768), (1920, 1152))),
        ),
        ("tensorrt:front_end=torch,workspace=512", TensorRT(front_end="torch", workspace=512)),
    ],
)
def test_every_option_can_be_typed(typed: str, meant: Backend) -> None:
    assert choose(typed) == meant


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("openvino:threads", "has no option 'threads': it has device, threads, streams"),
        ("openvino:slot=1", "has no option 'slot=1': it has device, threads, streams"),
        ("openvino:threads=many", "cannot take 'threads=many': give threads=NUMBER"),
        ("openvino:threads=0", "whole number from 1 up"),
        ("openvino:precision=fp64", "cannot take 'precision=fp64': give precision=auto or fp32 or bf16 or fp16"),
        ("tensorrt:streams=few", "give streams=NUMBER or auto"),
        ("tensorrt:devices=0+0", "name at least one GPU, each once"),
        ("tensorrt:dynamic=256x256", r"give dynamic=NUMBERxNUMBER\+NUMBERxNUMBER\+NUMBERxNUMBER or none"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(typed: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        choose(typed)


def test_a_class_and_other_things_are_refused_in_words() -> None:
    with pytest.raises(ArgumentError, match=r"backend is the class OpenVINO: give OpenVINO\(\), with its brackets"):
        choose(OpenVINO)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="backend is 3: give"):
        choose(3)  # type: ignore[arg-type]


def test_runtimes_are_understood_in_any_case() -> None:
    assert [check_runtime(name) for name in ("RTX", "tensorrt-rtx", "TensorRT")] == [
        "tensorrt-rtx", "tensorrt-rtx", "tensorrt",
    ]  # fmt: skip


def test_old_names_work_with_a_line_that_says_the_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert choose("openvino:slots=2") == OpenVINO(slots=2) == OpenVINO(streams=2)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "vs-interp: slots is now called streams: the old name will be removed"
    assert second == "vs-interp: OpenVINO(slots=…) is now called streams: the old name will be removed"


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (OpenVINO, {"threads": "2"}, "threads is '2': it must be a whole number"),
        (OpenVINO, {"threads": True}, "threads is True"),
        (OpenVINO, {"streams": 2.0}, "streams is 2.0: it must be a whole number from 1 up, such as 2, or 'auto'"),
        (OpenVINO, {"precision": "fp16"}, "precision is 'fp16': it must be 'auto' or 'fp32' or 'bf16'"),
        (OpenVINO, {"planes": None}, "planes is None"),
        (TensorRT, {"dynamic": True}, "dynamic is True: give the smallest"),
        (TensorRT, {"dynamic": ((1, 2), (3, 4))}, "dynamic is"),
        (TensorRT, {"dynamic": ((1, 2), (3, 4), (5, 6.0))}, "dynamic is"),
        (TensorRT, {"device": "0"}, "name at least one GPU, each once"),
        (TensorRT, {"devices": 0}, "devices is 0: give a list"),
        (TensorRT, {"devices": "01"}, "devices is '01': give a list"),
        (TensorRT, {"streams": True}, "streams is True"),
        (TensorRT, {"optimization": 2.5}, "optimization is 2.5: it must be a whole number from 0 to 5"),
        (TensorRT, {"workspace": "1G"}, "workspace is '1G'"),
        (TensorRT, {"front_end": "jax"}, "front_end is 'jax': it must be 'onnx' or 'torch'"),
    ],
)
def test_a_wrong_type_gets_the_same_care_as_a_wrong_value(
    kind: type[Backend], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        kind(**options)
