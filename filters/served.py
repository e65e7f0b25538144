"""A model's pictures of every window of a clip, for filters that lay them out in their own ways."""

from __future__ import annotations

from typing import Any

import vapoursynth as vs

from trt_build.backends import choose
from trt_build.backends.pool import SessionPool
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from trt_build.verify.verify import verify_session

from .planes import Colour
from .routes import find_route
from .serve import serve


def pictures(
    clip: vs.VideoNode, colour: Colour, file: ModelFile, backend: Any, threshold: float | None
) -> list[vs.VideoNode]:
    """Return what a network makes at times of its own: frame n of each clip is a picture of the window of frame n.

    Frames have the format of the clip that went in; flow, labels and masks are GRAYS, in the network's own units.
    Raises what choosing and opening a backend raise.
    """
    spec, runtime = file.spec, choose(backend)
    route = find_route(clip, colour, runtime, spec)
    profile = Profile(width=clip.width, height=clip.height, planes=route.planes)
    pool = SessionPool(runtime.open(file, profile, verify_session))
    made = serve(route, spec, pool, times=[spec.output.times or ()], most=spec.pictures, threshold=threshold)
    return [route.back(picture) for picture in made] if spec.output.kind == "frame" else made
