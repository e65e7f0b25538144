"""What a network is to those who serve it: a window of frames in, frames at given times out.

The spec travels as JSON in the metadata of the ONNX model file, so that a file describes itself.  No PyTorch here.
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
        Their positions, relative to the frame the window belongs to; ascending, 0 among them.
    channels
        3 for RGB, 1 for luma alone; values in [0, 1].
    labels
        Whether its one channel holds labels, whole numbers divided by 255, and no picture.
    edge
        What stands before the first and after the last frame of a clip: it repeats, or the clip is mirrored.
    """

    offsets: tuple[int, ...] = (0, 1)
    channels: int = 3
    labels: bool = False
    edge: Literal["repeat", "mirror"] = "repeat"


def reflect(number: int, length: int, edge: str) -> int:
    """Return the number of the frame used for ``number``, which may lie outside a clip of ``length`` frames."""
    if edge == "mirror" and length > 1:
        number = abs(number) % (2 * length - 2)
        return min(number, 2 * length - 2 - number)
    return min(max(number, 0), length - 1)


@dataclass(frozen=True, kw_only=True)
class Output:
    """The pictures that a network gives for a window.

    kind
        ``"frame"``: values in [0, 1].  All others have one channel.  ``"flow"``: two signed pictures, by how many
        pixels each pixel of frame 0 lies further right, and further down, in frame 1.  ``"labels"``: whole numbers,
        divided by 255.  ``"mask"``: as many pictures as there are parts, how much of each pixel belongs to a part, in
        [0, 1].
    times
        Where they lie, frame 0 at 0 and frame 1 at 1: between the two, upon frame 0 itself (flow, labels and enlarged
        frames: all 0), or from 1 up, ascending, for frames yet to come.  ``None`` where the caller asks for any time in
        (0, 1), one at a run.
    scale
        Height and width are this many times the input's.
    crop
        Where the pictures show a part of the input only: its top, left, height and width.
    """

    kind: Literal["frame", "flow", "labels", "mask"] = "frame"
    channels: int = 3
    times: tuple[float, ...] | None = None
    scale: int = 1
    crop: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """Everything that exporter, builder and server must know of a network.

    The graph's inputs are ``frame0`` … ``frame{N-1}`` (1×C×H×W float32, C the window's channels) in the order of the
    window's offsets, then ``time`` (1×1×1×1) where the network takes one; its only output is ``output``
    (M×C×S·H×S·W, M the number of times of a run, S the scale).

    multiple_of, minimum
        Height and width must be multiples of the one, and at least the other; servers pad by edge repetition.
    fixed
        The one height and width that the network takes, where it takes no other.
    updates
        How often the network refines its output, where it does so in equal steps; ``output_k`` is then the graph's
        tensor that holds it after the k-th, see :meth:`trt_build.model_file.ModelFile.with_updates`.
    tileable
        Whether a picture may be worked on in overlapping tiles (not where the network takes a mean of it all).
    state
        Names of inner tensors that do not depend on the time: worked out once a window, used for every time.
    fp32_islands
        Patterns (``fnmatch``) of node names or operator types that stay FP32 in a half-precision engine.
    input_range
        Ordinary film leaves the RGB cube where chroma was resampled, by up to 0.4, which networks have never seen:
        servers bring its values to [0, 1], unless the network takes them as they are (``"free"``).
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
        """Whether a run is asked for one time in (0, 1)."""
        return self.output.times is None

    @property
    def between(self) -> bool:
        """Whether its pictures lie between frame 0 and frame 1, and not upon frame 0."""
        times = self.output.times
        return times is None or 0 < times[0] < 1

    @property
    def foresees(self) -> bool:
        """Whether its pictures lie after the newest frame that it sees."""
        return self.output.times is not None and self.output.times[0] >= 1

    @property
    def frame_inputs(self) -> tuple[str, ...]:
        """Names of the graph's inputs that hold frames."""
        return tuple(f"frame{index}" for index in range(len(self.window.offsets)))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all the graph's inputs, in order."""
        return (*self.frame_inputs, "time") if self.takes_time else self.frame_inputs

    @property
    def pictures(self) -> int:
        """Pictures that one run gives (M)."""
        return 1 if self.output.times is None else len(self.output.times)

    def padded(self, size: int) -> int:
        """Return the smallest height or width that the network takes and that holds ``size``."""
        size = max(size, self.minimum)
        return -(-size // self.multiple_of) * self.multiple_of

    def made_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of what is made of frames of a size."""
        if self.output.crop is not None:
            return self.output.crop[2:]
        return height * self.output.scale, width * self.output.scale

    def check_size(self, height: int, width: int) -> None:
        """Raise :class:`ArgumentError` where the network takes one size only, and not this."""
        if self.fixed not in (None, (height, width)):
            assert self.fixed is not None
            raise ArgumentError(
                f"the picture is {width}x{height}, and {self.name} works at {self.fixed[1]}x{self.fixed[0]} only: "
                "resize the clip, or cut it into such parts"
            )

    def to_json(self) -> str:
        """Return the spec as one line of JSON."""
        return json.dumps({"version": FORMAT_VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> NetworkSpec:
        """Read what :meth:`to_json` wrote.  Raises :class:`ModelFileError` naming what is wrong."""
        try:
            values = json.loads(text)
            version = values.pop("version")
            if version != FORMAT_VERSION:
                raise ModelFileError(f"its spec has version {version!r}, known is {FORMAT_VERSION}: update vs-interp")
            window = Window(**_tuples(values.pop("window")))
            output = Output(**_tuples(values.pop("output")))
            spec = cls(window=window, output=output, **_tuples(values))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
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
            raise ModelFileError(f"its window has the offsets {offsets}: they must be whole numbers that ascend, 0 too")
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
    """Whether all times are 0, or ascend and lie in (0, 1) or from 1 up."""
    if not times or any(times) is False:
        return bool(times)
    ascending = all(before < after for before, after in pairwise(times))
    return ascending and (0 < times[0] <= times[-1] < 1 or times[0] >= 1)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where the spec has tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
