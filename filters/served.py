"""A model applied to every window of a clip, for filters that arrange the pictures in their own way."""

from __future__ import annotations

import itertools
from typing import Any

import vapoursynth as vs

from trt_build.backends import choose
from trt_build.backends.pool import SessionPool
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from trt_build.verify.verify import verify_session

from .planes import Colour
from .routes import find_route
from .serve import MOST_FRAMES, serve


class Served:
    """A model opened for clips of one format and size; call it with a clip.

    ``alone`` opens a single session, for callers that ask for one window at a time.  Raises what choosing and opening
    a backend raise.
    """

    def __init__(
        self, like: vs.VideoNode, colour: Colour, file: ModelFile, backend: Any, *, alone: bool = False
    ) -> None:
        self._colour, self._spec, self._runtime = colour, file.spec, choose(backend)
        route = find_route(like, colour, self._runtime, file.spec)
        profile = Profile(width=like.width, height=like.height, planes=route.planes)
        sessions = self._runtime.open(file, profile, verify_session)
        self._clips = itertools.count()
        self._pool = SessionPool(sessions[:1] if alone else sessions)

    def __call__(self, clip: vs.VideoNode, threshold: float | None) -> list[vs.VideoNode]:
        """Return what the network makes at times of its own: frame n of each clip is a picture of frame n's window.

        Frames have the format of the clip; flow, labels and masks are GRAYS, in the network's own units.
        """
        spec, route = self._spec, find_route(clip, self._colour, self._runtime, self._spec)
        made = serve(
            route, spec, self._pool, times=[spec.output.times or ()], most=spec.pictures, threshold=threshold,
            first_key=next(self._clips) * MOST_FRAMES,
        )  # fmt: skip
        return [route.back(picture) for picture in made] if spec.output.kind == "frame" else made
