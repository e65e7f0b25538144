"""A worker makes a chunk of a job that it was sent, or says why it cannot; and where it leaves the chunk."""

from __future__ import annotations

import hashlib
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.films.test_damage import film, flipped
from vs_interp.jobs.chunk import ChunkFolder, Record
from vs_interp.jobs.here import make_chunks
from vs_interp.jobs.plan import plan
from vs_interp.jobs.run import run
from vs_interp.jobs.status import Board, Status
from vs_interp.jobs.work import TOKEN, Order, RefusedError, make

from .films import enlargement, make_film, unheard


class Silent:
    """Hears what a job says, and tells nobody."""

    def shows(self, status: Status) -> None: ...

    def says(self, line: str) -> None: ...

    def joins(self) -> None: ...


def shared_folder(place: Path) -> tuple[Path, Order]:
    """Make a film and the folder of its job, with a token; return the folder and the order of chunk 1."""
    (place / "job").mkdir(parents=True)
    conversion = enlargement(make_film(place / "in.mkv"), place / "out.mkv")
    manifest = plan(conversion, conversion.open(), 0.5)
    (place / "job" / TOKEN).write_text("a token")
    return place / "job", Order(manifest.to_json(), 1, str(place / "job"), "a token")


def test_a_worker_without_the_source_or_of_another_version_refuses(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    film = make_film(tmp_path / "here" / "in.mkv")
    conversion = enlargement(film, tmp_path / "out.mkv")
    manifest = plan(conversion, conversion.open(), 0.5)
    order = Order(manifest.to_json(), 1, str(tmp_path / "nowhere"), "a token that no folder holds")
    (tmp_path / "there").mkdir()
    elsewhere = ((str(tmp_path / "here"), str(tmp_path / "there")),)
    with pytest.raises(RefusedError, match=r"does not see the source .*there/in\.mkv: .*--map"):
        make(replace(order, paths=elsewhere), unheard)
    (tmp_path / "there" / "in.mkv").write_bytes(b"another film")
    with pytest.raises(RefusedError, match="has another film"):
        make(replace(order, paths=elsewhere), unheard)
    (tmp_path / "there" / "in.mkv").write_bytes(film.read_bytes())
    made = make(replace(order, paths=elsewhere), unheard)
    assert made.content is not None and made.record.frames == manifest.borders[2] - manifest.borders[1]
    other = replace(manifest, identity={**manifest.identity, "steps": {"upscale": {"model": "another digest"}}})
    with pytest.raises(RefusedError, match="has another model under the name anime4k-s-x2"):
        make(replace(order, manifest=other.to_json(), paths=elsewhere), unheard)
    with pytest.raises(RefusedError, match="leave out --exact"):
        make(replace(order, paths=elsewhere, maker="another processor"), unheard)
    newer = replace(manifest, identity={**manifest.identity, "versions": {"vs-interp": "99"}})
    with pytest.raises(RefusedError, match=r"has vs-interp .*, not 99"):
        make(replace(order, manifest=newer.to_json(), paths=elsewhere), unheard)


@pytest.mark.parametrize("exact", [None, "a GPU"])
def test_a_worker_without_the_device_refuses_in_one_line(tmp_path: Path, exact: str | None) -> None:
    """Device 9 is one that no machine here has; a chunk that merely failed would be tried three times more."""
    conversion = enlargement(make_film(tmp_path / "in.mkv"), tmp_path / "out.mkv")
    there = replace(conversion, steps=(replace(conversion.steps[0], backend="openvino:device=GPU.9"),))
    order = Order(plan(there, conversion.open(), 0.5).to_json(), 1, str(tmp_path), "a token", maker=exact)
    with pytest.raises(
        RefusedError, match=r"^\S+ cannot take part: .*OpenVINO finds no device GPU\.9 here, only [^\n]*$"
    ):
        make(order, unheard)


def test_a_chunk_goes_into_the_folder_that_a_worker_sees_under_a_mapped_path(tmp_path: Path) -> None:
    folder, order = shared_folder(tmp_path / "here")
    (tmp_path / "there").symlink_to(tmp_path / "here", target_is_directory=True)
    elsewhere = replace(order, folder=f"{tmp_path}/away/job", paths=((f"{tmp_path}/away", f"{tmp_path}/there"),))
    made = make(elsewhere, unheard)
    assert made.content is None
    assert ChunkFolder(folder).record(1) == made.record
    (folder / TOKEN).write_text("of another job, or of another machine's folder of that name")
    assert make(elsewhere, unheard).content is not None
    assert ChunkFolder(folder).record(1) == made.record


READ_ONLY = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && exec "
"""Makes a folder one that nobody can write into, not even root, in a shell that sees mounts of its own."""


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0,
    reason="this system lets no process have mounts of its own",
)
def test_a_chunk_is_sent_where_the_worker_cannot_write_into_the_folder(tmp_path: Path) -> None:
    folder, order = shared_folder(tmp_path / "here")
    (tmp_path / "order").write_bytes(pickle.dumps(order))
    work = (
        "import pickle, sys; from pathlib import Path; from vs_interp.jobs.work import make;"
        "made = make(pickle.loads(Path(sys.argv[1]).read_bytes()), lambda *_: None);"
        "sys.stdout.buffer.write(pickle.dumps(made))"
    )
    command = f"{READ_ONLY.format(folder)}{sys.executable} -c '{work}' {tmp_path / 'order'}"
    made = pickle.loads(subprocess.check_output(["unshare", "-rm", "sh", "-c", command]))
    assert hashlib.sha256(made.content).hexdigest() == made.record.sha256
    assert [path.name for path in folder.iterdir()] == [TOKEN]


def test_what_could_not_be_decoded_is_reported_whoever_met_it(tmp_path: Path) -> None:
    """Another process, or an earlier run."""
    source = flipped(film(tmp_path, "mkv"))
    conversion = enlargement(source, tmp_path / "out.mkv")
    there, here = conversion.open(), conversion.open()
    there.source.damage.broken.add(20)  # by chance of its threads' order, BestSource may refuse no frame at all
    manifest, folder = plan(conversion, here, 1), tmp_path / "out.mkv.job"

    def others_make(chunks: ChunkFolder, numbers: list[int], board: Board) -> Iterator[tuple[int, Record]]:
        return make_chunks(there, chunks, manifest.borders, numbers, unheard)

    run(here, manifest, folder, others_make, overwrite=False, restart=False, maker=None, listener=Silent())
    assert here.source.damage.report() == there.source.damage.report()
    assert 20 in here.source.damage.broken
