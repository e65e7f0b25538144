"""One conversion as data, and the same conversion opened: its source, frame graph and encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import vapoursynth as vs

from vs_interp.films.codecs import Choice
from vs_interp.films.encoding import Encoding, stream_to_encode
from vs_interp.films.excerpt import Excerpt, excerpt
from vs_interp.films.source import Reading, Source, open_source
from vs_interp.films.stamps import Progress

from .steps import Interpolation, Upscaling, from_json, to_json


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """A conversion of the film ``source``, or a part of it, through ``steps`` into the film ``output``.

    choice
        The codec and other settings of the encoder.
    part
        The part of the source to convert; ``None`` for all of it.
    reading
        How the source is to be read: its frame rate, video track and the like.
    """

    source: Path
    output: Path
    steps: tuple[Interpolation | Upscaling, ...]
    choice: Choice
    part: Excerpt | None = None
    reading: Reading = field(default_factory=Reading)

    def open(self, progress: Progress | None = None) -> OpenConversion:
        """Open the film and build its frame graph, without computing frames.

        ``progress`` is called with the share of the film that has been indexed.  Raises a
        :class:`~vs_interp.errors.VsInterpError` if something cannot be opened or is not supported.
        """
        source = self.open_source(progress)
        stream = stream_to_encode(source, self.output, self.choice)
        for step in self.steps:
            stream = step.apply(stream)
        return OpenConversion(self, source, Encoding.prepare(source, stream, self.output, self.choice))

    def open_source(self, progress: Progress | None = None) -> Source:
        """Open the film, or the part of it; arguments and errors as :meth:`open`."""
        source = open_source(self.source, self.reading, progress)
        source = source if self.part is None else excerpt(source, self.part)
        source.damage.check()
        return source

    def to_json(self) -> dict[str, Any]:
        """Return the conversion as JSON values for :meth:`from_json`; paths are made absolute."""
        return {
            "source": str(self.source.absolute()),
            "output": str(self.output.absolute()),
            "steps": [to_json(step) for step in self.steps],
            "choice": asdict(self.choice),
            "part": None if self.part is None else self.part.to_json(),
            "reading": self.reading.to_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Conversion:
        """Return the conversion that :meth:`to_json` serialised."""
        choice: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values["choice"].items()
        }
        return cls(
            source=Path(values["source"]),
            output=Path(values["output"]),
            steps=tuple(from_json(step) for step in values["steps"]),
            choice=Choice(**choice),
            part=None if values["part"] is None else Excerpt.from_json(values["part"]),
            reading=Reading.from_json(values["reading"]),
        )


@dataclass(frozen=True)
class OpenConversion:
    """A conversion whose film is open: frames of :attr:`clip` can be asked for in any order."""

    conversion: Conversion
    source: Source
    encoding: Encoding

    @property
    def clip(self) -> vs.VideoNode:
        """The frames to encode."""
        return self.encoding.stream.clip

    @cached_property
    def first(self) -> vs.VideoFrame:
        """The first output frame, whose properties give the colour tags of the whole film."""
        return self.clip.get_frame(0)

    @property
    def notes(self) -> Sequence[str]:
        """One line for each property of the source that the output cannot keep."""
        return self.encoding.notes
