"""What frames depend on is compared, and how the work is divided is not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from trt_build.engines.targets import current_gpu
from vs_interp.errors import BackendError
from vs_interp.jobs.conversion import Conversion
from vs_interp.jobs.maker import computing, maker
from vs_interp.jobs.plan import plan
from vs_interp.jobs.steps import Upscaling

from .films import enlargement, make_film


def by(conversion: Conversion, backend: str) -> Conversion:
    """Return the conversion with its step on another backend."""
    return replace(conversion, steps=(Upscaling(scale=2, model="anime4k-s-x2", backend=backend),))


def test_the_number_of_threads_is_not_compared_and_the_precision_is(tmp_path: Path) -> None:
    conversion = enlargement(tmp_path / "in.mkv", tmp_path / "out.mkv")
    one, two = by(conversion, "openvino:threads=1"), by(conversion, "openvino:threads=2,streams=2")
    assert maker(one) == maker(two)
    assert maker(one) != maker(by(conversion, "openvino:precision=fp32"))


def test_the_number_of_a_gpu_is_not_compared_and_streams_are_where_the_engine_depends_on_them() -> None:
    assert computing("onnxruntime:device=1") == computing("onnxruntime")
    assert computing("tensorrt:devices=0+1") == computing("tensorrt:device=1") == computing("tensorrt")
    assert computing("tensorrt:streams=2") != computing("tensorrt:streams=1")


def test_onnx_runtime_on_cuda_is_told_apart_by_its_gpu(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    conversion = by(enlargement(tmp_path / "in.mkv", tmp_path / "out.mkv"), "onnxruntime:provider=cuda")
    try:
        gpu = current_gpu(0).name
    except BackendError as error:
        with pytest.raises(BackendError, match=re.escape(str(error))):
            maker(conversion)
    else:
        assert maker(conversion).endswith(f" on {gpu}")


def test_a_job_can_be_resumed_with_another_number_of_threads(tmp_path: Path) -> None:
    conversion = enlargement(make_film(tmp_path / "in.mkv"), tmp_path / "out.mkv")
    begun = plan(conversion, conversion.open())
    for backend, told in (
        ("openvino:threads=2,streams=1", []),
        ("openvino:precision=fp32", ["backends was"]),
    ):
        other = by(conversion, backend)
        now = plan(other, other.open())
        assert [text[:12] for text in begun.differences(now)] == told
