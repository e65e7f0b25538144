"""Measure how fast a recipe trains: crops per second of making batches alone, of steps alone, and of both together.

    python benchmarks/training.py recipes/super-slomo-small-2.toml --seconds 10
    python benchmarks/training.py recipes/super-slomo-small-2.toml --against ../another-checkout

Both together should be almost as fast as the slower of the two.  ``--against`` trains with the code of another checkout
and then with this, each in its own process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

WARM = 5
"""Steps before the measurement, in which plans are made, memory is allocated and workers start."""


class TimeOverError(Exception):
    """Ends a run that has been measured for long enough."""


class Rate:
    """Counts crops after the warm-up until the time is over."""

    def __init__(self, crops: int, seconds: float, device: torch.device) -> None:
        self.crops, self.seconds, self.device = crops, seconds, device
        self.steps, self.start = -WARM, 0.0

    def over(self) -> bool:
        """Count a step; return whether the time is over."""
        self.steps += 1
        if self.steps == 0:
            self._finish()
            self.start = time.perf_counter()
        return self.steps > 1 and time.perf_counter() - self.start >= self.seconds

    def value(self) -> float:
        """Return the crops per second."""
        self._finish()
        return self.steps * self.crops / (time.perf_counter() - self.start)

    def _finish(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def measure(path: Path, seconds: float, device: str | None, changes: list[str]) -> dict[str, float]:
    """Return crops per second of data alone, of steps alone and of both, and the ratio of the last to the slower."""
    from vs_interp.training.batches import Batches
    from vs_interp.training.processes import Processes
    from vs_interp.training.trainer import Trainer

    with Processes.join(device) as processes:
        recipe = changed(path, changes)
        trainer = Trainer(recipe, processes)
        batches = Batches(recipe, trainer.network.spec, processes)

        def rate(each: Callable[[Any], object], made: Any) -> float:
            counted = Rate(recipe.data.batch, seconds, processes.device)
            for batch in made:
                each(batch)
                if counted.over():
                    break
            return counted.value()

        one = next(batches.since(0))
        found = {
            "data": rate(lambda batch: batch, batches.since(0)),
            "step": rate(trainer.train, iter(lambda: one, None)),
            "both": rate(trainer.train, batches.since(0)),
        }
    memory = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
    return {**found, "share": found["both"] / min(found["data"], found["step"]), "gib": memory}


def train(path: Path, seconds: float, device: str | None, changes: list[str]) -> dict[str, float]:
    """Return the crops per second of a run like that of ``vs-interp train``, with whichever code is imported."""
    from vs_interp.training.loop import train as run
    from vs_interp.training.processes import Processes

    recipe = changed(path, changes)
    with Processes.join(device) as processes:
        counted = Rate(recipe.data.batch, seconds, processes.device)

    def listen(report: object) -> None:
        if counted.over():
            raise TimeOverError

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(TimeOverError):
        run(recipe, Path(folder) / "run", device=device, listener=listen)
    return {"trained": counted.value()}


def changed(path: Path, changes: list[str]) -> Any:
    """Return a recipe with changed values (``KEY=VALUE``), without start weights and validation."""
    import tomlkit

    from vs_interp.training.recipe import Recipe

    text = path.read_text(encoding="utf-8")
    values = tomllib.loads(text)
    for change in (*changes, "training.steps=1000000", "training.save_every=1000000"):
        key, _, value = change.partition("=")
        *tables, last = key.split(".")
        place = values
        for table in tables:
            place = place[int(table)] if isinstance(place, list) else place[table]
        place[last] = tomllib.loads(f"value = {value}")["value"]
    values["training"].pop("start", None)
    values.pop("validation", None)
    return Recipe.model_validate({**values, "text": tomlkit.dumps(values)})


def main() -> None:
    """Measure what the command line asks for, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--device", help="cpu or cuda; by default the GPU where there is one")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="e.g. data.batch=64")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="train by the code there, too, and by this")
    parser.add_argument("--whole", action="store_true", help="only a run as vs-interp train does it")
    given = parser.parse_args()
    if given.against is None:
        work = train if given.whole else measure
        found = work(given.recipe, given.seconds, given.device, given.set)
        print(json.dumps({name: round(value, 3) for name, value in found.items()}))
        return
    command = [
        sys.executable,
        __file__,
        *(word for word in sys.argv[1:] if word not in ("--against", str(given.against))),
    ]
    for name, tree in (("there", given.against), ("here", Path(__file__).parents[1])):
        environment = {**os.environ, "PYTHONPATH": str(tree.resolve())}
        made = subprocess.run(
            [*command, "--whole"], env=environment, capture_output=True, text=True, encoding="utf-8", check=True
        )
        print(json.dumps({"code": name, **json.loads(made.stdout.splitlines()[-1])}))


if __name__ == "__main__":
    main()
