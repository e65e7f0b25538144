"""vs-interp evaluate on frames to come and on labels, each beside the trivial answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import foreseen
from tests.evaluating import evaluate
from vs_interp.datasets.chunks import write_chunks
from vs_interp.errors import ArgumentError


def test_frames_to_come_are_scored_by_lead_beside_the_last_frame_again(tmp_path: Path) -> None:
    """On a ramp the model is right at every lead, and the last frame is further off at each: by 8 and by 16 codes."""
    ramp = np.repeat(np.arange(40, 80, 8, dtype=np.uint8), 32 * 40).reshape(5, 32, 40)
    write_chunks([{"frames": ramp}], tmp_path / "ramp")
    model = foreseen.drifting(tmp_path / "drift.onnx")
    figures = evaluate(model, f"chunks:{tmp_path / 'ramp'}", limit=2).figures
    ours, repeated = figures["methods"]["drift"], figures["methods"]["repeat"]
    assert ours["mean"]["psnr"] == 100 and len(ours["leads"]) == 2
    assert [lead["psnr"] for lead in repeated["leads"]] == pytest.approx(
        [20 * np.log10(255 / 8), 20 * np.log10(255 / 16)], abs=1e-6
    )


def test_labels_are_scored_beside_the_background(tmp_path: Path) -> None:
    """Six fields part objects that lie apart, which all of one number do not: only ARI tells."""
    model = foreseen.bright(tmp_path / "bright.onnx")
    figures = evaluate(model, "scenes:64x48", against=["background", "grid"], limit=2).figures
    assert set(figures["methods"]) == {"bright", "background", "grid"}
    nothing, fields = (figures["methods"][name]["mean"] for name in ("background", "grid"))
    assert 0.7 < nothing["equal"] < 1 and nothing["iou"] < 0.5
    assert nothing["ari"] == 0 and 0.2 < fields["ari"] < 1 and fields["equal"] < 0.5
    with pytest.raises(ArgumentError, match="has no labels"):
        evaluate(model, "scene-labels:64x48", limit=2)
