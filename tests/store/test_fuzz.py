"""Whatever is done to the files of a project, only errors of nissl come out."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from nissl.errors import NisslError
from nissl.labels.digest import digest_array
from nissl.store import Store

GOLDEN = Path(__file__).parent / "golden" / "v1"


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, overwrite, repeat or insert bytes."""
    values = bytearray(content)
    for _ in range(int(rng.integers(1, 12))):
        if not values:
            break
        at = int(rng.integers(len(values)))
        length = int(rng.integers(1, 64))
        match int(rng.integers(6)):
            case 0 | 1:
                values[at] ^= 1 << int(rng.integers(8))
            case 2:
                values[at : at + length] = rng.bytes(len(values[at : at + length]))
            case 3:
                del values[at : at + length]
            case 4:
                values[at:at] = values[at : at + length]
            case 5 if rng.random() < 0.3:
                del values[at:]
    return bytes(values)


def exercise(project: Path) -> None:
    """Use everything that reads or writes; each step may fail in its own right."""
    with Store.open(project) as store:
        for step in (
            store.sources,
            store.label_sets,
            store.edits,
            store.verify,
            lambda: store.source("night1"),
            lambda: store.source_history("2" * 64),
            lambda: [store.get_labels(r.digest) for r in store.label_sets()],
            lambda: [store.get_items(r.items) for r in store.label_sets() if r.items],
            lambda: [store.get_array(p.stem) for p in (project / "arrays").glob("*.zarr")],
            lambda: store.head_history("1" * 64, "spikes"),
            lambda: store.findings(next(r.digest for r in store.label_sets())),
            lambda: [store.run(letter * 64) for letter in "abc"],
            lambda: store.start_run("b" * 64, {}),
            lambda: store.append(store.edits()),
            lambda: store.update_source("1" * 64, name="other"),
            lambda: store.snapshot(project.with_name("copy")),
        ):
            with suppress(NisslError, StopIteration):
                step()
        shutil.rmtree(project.with_name("copy"), ignore_errors=True)


FILES = {
    "project.toml": ("project.toml", 60),
    "journal": ("journal.db", 70),
    "labels": ("labels/*.parquet", 50),
    "array": ("arrays/*/*", 25),
    "array header": ("arrays/*/.zarray", 25),
}


@pytest.mark.parametrize("what", FILES)
def test_damaged_files_give_only_errors_of_nissl(tmp_path, what):
    pattern, rounds = FILES[what]
    rng = np.random.default_rng(sorted(FILES).index(what))
    project = tmp_path / "p"
    refused = 0
    for _ in range(rounds):
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(GOLDEN, project)
        files = sorted(project.glob(pattern))
        file = files[int(rng.integers(len(files)))]
        file.write_bytes(damage(file.read_bytes(), rng))
        try:
            exercise(project)
        except NisslError:
            refused += 1
    if what in ("project.toml", "journal"):
        assert refused > rounds // 10  # the damage was real


def test_a_damaged_label_file_or_array_is_never_taken_for_whole(tmp_path):
    rng = np.random.default_rng(5)
    shutil.copytree(GOLDEN, tmp_path / "p")
    with Store.open(tmp_path / "p", create=False) as store:
        files = [*(tmp_path / "p").glob("labels/*.parquet"), *(tmp_path / "p").glob("arrays/*/0*")]
        for file in files:
            whole = file.read_bytes()
            for _ in range(25):
                file.write_bytes(damage(whole, rng))
                try:
                    if file.name.endswith(".items.parquet"):
                        digest = file.name.partition(".")[0]
                        assert store.get_items(digest).digest == digest
                    elif file.suffix == ".parquet":
                        assert store.get_labels(file.stem).digest == file.stem
                    else:
                        assert digest_array(store.get_array(file.parent.stem)) == file.parent.stem
                except NisslError:
                    continue
            file.write_bytes(whole)
        assert store.verify() == []
