"""The specification of a network for those who run it: a window of frames in, frames at given times out.

The spec is stored as JSON in the metadata of the ONNX model file, so that a model file describes itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal

from .errors import ArgumentError, ModelFileError

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Window:
    """The frames that a network looks at.

    offsets
        Their positions relative to the frame that the window belongs to; ascending, including 0.
    channels
        3 for RGB, 1 for luma; values in [0, 1].
    labels
        Whether the one channel holds class numbers, divided by 255, instead of a picture.
    edge
        What comes before the first and after the last frame of a clip: that frame repeated, or the clip mirrored.
    """

    offsets: tuple[int, ...] = (0, 1)
    channels: int = 3
    labels: bool = False
    edge: Literal["repeat", "mirror"] = "repeat"


def reflect(number: int, length: int, edge: str) -> int:
    """Return the number of the frame to use for ``number``, which may lie outside a clip of ``length`` frames."""
    if edge == "mirror" and length > 1:
        number = abs(number) % (2 * length - 2)
        return min(number, 2 * length - 2 - number)
    return min(max(number, 0), length - 1)


@dataclass(frozen=True, kw_only=True)
class Output:
    """The pictures that a network makes from a window.

    kind
        ``"frame"``: pictures with values in [0, 1].  ``"flow"``: two signed pictures, by how many pixels each pixel of
        frame 0 lies further right and further down in frame 1.  ``"labels"``: class numbers divided by 255.
        ``"mask"``: one picture per object, how much of each pixel belongs to it, in [0, 1].  All but frames have one
        channel.
    times
        The time of each picture, where frame 0 is at 0 and frame 1 at 1.  In (0, 1) and ascending: frames in between.
        All 0: the pictures belong to frame 0 (flow, labels, upscaling).  Ascending from 1: frames to come.  ``None``:
        the caller chooses any time in (0, 1), one per run.
    scale
        Height and width are this many times the input's.
    crop
        The part of the input that the pictures show: top, left, height and width; ``None`` for all of it.
    """

    kind: Literal["frame", "flow", "labels", "mask"] = "frame"
    channels: int = 3
    times: tuple[float, ...] | None = None
    scale: int = 1
    crop: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """Everything that the exporter, the engine builder and the filters must know about a network.

    The graph's inputs are ``frame0`` … ``frame{N-1}`` (1×C×H×W float32, C the window's channels) in the order of the
    window's offsets, then ``time`` (1×1×1×1) if the network takes one; its only output is ``output`` (M×C×S·H×S·W, M
    the number of pictures per run, S the scale).

    multiple_of, minimum
        Height and width must be multiples of the first and at least the second; filters pad by repeating the edges.
    fixed
        The only height and width that the network takes; ``None`` if it takes any.
    updates
        The number of equal steps in which the network refines its output, 0 if it does not; the graph then has tensors
        ``output_k``, the output after step k: see :meth:`trt_build.model_file.ModelFile.with_updates`.
    tileable
        Whether a picture may be processed in overlapping tiles (not if the network averages over all of it).
    state
        Names of tensors in the graph that do not depend on the time: computed once per window, used for every time.
    fp32_islands
        Patterns (``fnmatch``) of node names or operator types that stay FP32 in an FP16 engine.
    input_range
        After chroma resampling, the RGB values of ordinary film exceed [0, 1] by up to 0.4, which networks were not
        trained on.  Filters clamp them (``"clamped"``) unless the network takes them as they are (``"free"``).
    """

    name: str
    window: Window = field(default_factory=Window)
    output: Output = field(default_factory=Output)
    multiple_of: int = 1
    minimum: int = 1
    fixed: tuple[int, int] | None = None
    updates: int = 0
    tileable: bool = True
    state: tuple[str, ...] = ()
    fp32_islands: tuple[str, ...] = ()
    input_range: Literal["clamped", "free"] = "clamped"

    @property
    def takes_time(self) -> bool:
        """Whether the caller chooses the time, one in (0, 1) per run."""
        return self.output.times is None

    @property
    def between(self) -> bool:
        """Whether its pictures lie between frame 0 and frame 1."""
        times = self.output.times
        return times is None or 0 < times[0] < 1

    @property
    def foresees(self) -> bool:
        """Whether it predicts: its pictures come after the last frame of the window."""
        return self.output.times is not None and self.output.times[0] >= 1

    @property
    def frame_inputs(self) -> tuple[str, ...]:
        """Names of the graph's frame inputs."""
        return tuple(f"frame{index}" for index in range(len(self.window.offsets)))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all the graph's inputs, in order."""
        return (*self.frame_inputs, "time") if self.takes_time else self.frame_inputs

    @property
    def pictures(self) -> int:
        """How many pictures one run makes (M)."""
        return 1 if self.output.times is None else len(self.output.times)

    def padded(self, size: int) -> int:
        """Return the height or width to which one of ``size`` pixels is padded."""
        size = max(size, self.minimum)
        return -(-size // self.multiple_of) * self.multiple_of

    def made_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of the output for frames of a given height and width."""
        if self.output.crop is not None:
            return self.output.crop[2:]
        return height * self.output.scale, width * self.output.scale

    def check_size(self, height: int, width: int) -> None:
        """Raise :class:`ArgumentError` if the network takes one size only, and it is not this one."""
        if self.fixed not in (None, (height, width)):
            assert self.fixed is not None
            raise ArgumentError(
                f"the picture is {width}x{height}, but {self.name} works at {self.fixed[1]}x{self.fixed[0]} only: "
                "resize the clip, or crop it to that size"
            )

    def to_json(self) -> str:
        """Return the spec as one line of JSON."""
        return json.dumps({"version": FORMAT_VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> NetworkSpec:
        """Read the JSON of :meth:`to_json`.  Raises :class:`ModelFileError` for a spec that is broken or too new."""
        try:
            values = json.loads(text)
            version = values.pop("version")
            if version != FORMAT_VERSION:
                raise ModelFileError(f"its spec has version {version!r}, not {FORMAT_VERSION}: update vs-interp")
            window = Window(**_tuples(values.pop("window")))
            output = Output(**_tuples(values.pop("output")))
            spec = cls(window=window, output=output, **_tuples(values))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"its spec cannot be read ({error}): export the model again") from error
        spec._check()
        return spec

    def _check_size(self) -> None:
        crop, fixed = self.output.crop, self.fixed
        if fixed is not None and (len(fixed) != 2 or min(fixed) < 1):
            raise ModelFileError(f"its spec has fixed = {fixed}: it must be a height and a width")
        if crop is not None and (len(crop) != 4 or fixed is None or min(crop) < 0 or min(crop[2:]) < 1
                                 or crop[0] + crop[2] > fixed[0] or crop[1] + crop[3] > fixed[1]):  # fmt: skip
            raise ModelFileError(f"its output has the crop {crop}, which does not lie in a fixed size ({fixed})")

    def _check(self) -> None:
        offsets, times = self.window.offsets, self.output.times
        whole = isinstance(offsets, tuple) and all(isinstance(offset, int) for offset in offsets)
        if not whole or 0 not in offsets or list(offsets) != sorted(set(offsets)):
            raise ModelFileError(f"its window has the offsets {offsets}: they must be ascending integers with 0")
        if times is not None and not _is_sensible(times):
            raise ModelFileError(
                f"its output has the times {times}: they must be 0, ascend between 0 and 1, or ascend from 1 up"
            )
        if self.window.edge not in ("repeat", "mirror"):
            raise ModelFileError(f"its window has the edge {self.window.edge!r}: it must be 'repeat' or 'mirror'")
        if self.output.kind not in ("frame", "flow", "labels", "mask"):
            raise ModelFileError(f"its output is {self.output.kind!r}, which is unknown: update vs-interp")
        self._check_size()
        if self.input_range not in ("clamped", "free"):
            raise ModelFileError(f"its spec has input_range = {self.input_range!r}: it must be 'clamped' or 'free'")
        for name in ("multiple_of", "minimum"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ModelFileError(
                    f"its spec has {name} = {getattr(self, name)!r}: it must be a whole number from 1 up"
                )


def _is_sensible(times: tuple[float, ...]) -> bool:
    """Whether there are times, and they are all 0, or ascend and either lie in (0, 1) or begin at 1 or later."""
    if not times:
        return False
    if not any(times):
        return True
    ascending = all(before < after for before, after in pairwise(times))
    return ascending and (0 < times[0] <= times[-1] < 1 or times[0] >= 1)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """Turn the lists of JSON into the tuples of the spec."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
