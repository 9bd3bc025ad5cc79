"""Contract suites for importers and exporters, and the dossiers they are tried on.

A format's tests inherit a suite and name the format; the suite holds it to what
`nissl.io.contracts` promises.
"""

from __future__ import annotations

import hashlib
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from nissl.errors import (
    BadArgumentError,
    DiskFullError,
    ExportError,
    NisslError,
    ReadOnlyError,
    VerificationError,
)
from nissl.io import EXPORTERS, IMPORTERS, find_importer
from nissl.io.contracts import Exporter, Imported, Importer
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.tasks import Dossier, Finding

RATE_HZ = 30000.0


def example_spikes(
    rng: np.random.Generator, *, n_units: int = 4, n_spikes: int = 200, n_samples: int = 300_000
) -> LabelSet:
    """Spikes of random units at random samples, some of them at the same sample."""
    sample = np.sort(rng.integers(100, n_samples, n_spikes))
    sample[1] = sample[0]
    item = rng.integers(0, n_units, n_spikes)
    item[:n_units] = np.arange(n_units)[: item[:n_units].size]
    return LabelSet.build(
        Kind.EVENTS,
        {
            "sample": sample,
            "item": item,
            "amplitude": -rng.uniform(30, 300, n_spikes).astype(np.float32),
            "channel": (item % 4).astype(np.int32),
            "x_um": rng.uniform(0, 40, n_spikes).astype(np.float32),
            "y_um": np.where(item > 0, 20.0 * item, np.nan).astype(np.float32),
        },
        ("unit",),
        Provenance(
            task="spikes",
            source="f" * 64,
            author=Author("model", "spikes/example", "1.0"),
            stream="ap",
            parameters={"threshold": 5.5, "nested": {"a": [1, 2]}},
            seed=7,
            packages={"numpy": "1"},
        ),
    )


def example_items(labels: LabelSet, rng: np.random.Generator, *, n_channels: int = 4) -> ItemTable:
    """Item table with the usual columns, one missing value and templates in uV."""
    n = labels.items.size
    snr = rng.uniform(2, 20, n)
    snr[-1] = np.nan
    template = rng.normal(0, 40, (n, 9, n_channels)).astype(np.float32)
    positions = [[float(16 * (k % 2)), float(20 * k)] for k in range(n_channels)]
    counts = [int(labels.rows_of(item).size) for item in labels.items]
    return ItemTable(
        labels.digest,
        pa.table(
            {
                "item": labels.items,
                "n_spikes": np.asarray(counts, np.int64),
                "channel": (labels.items % n_channels).astype(np.int32),
                "x_um": np.asarray([positions[int(i) % n_channels][0] for i in labels.items]),
                "y_um": np.asarray([positions[int(i) % n_channels][1] for i in labels.items]),
                "shank": np.zeros(n, np.int32),
                "firing_rate_hz": np.asarray(counts) / 10.0,
                "snr": pa.array(snr, mask=np.isnan(snr), from_pandas=False),
                "drift_um": rng.uniform(0, 30, n),
            }
        ),
        {"x_um": "um", "y_um": "um", "firing_rate_hz": "Hz", "template": "uV", "acg": "Hz"},
        {
            "template": template,
            "acg": rng.uniform(0, 9, (n, 5)).astype(np.float32),
        },
        {
            "rate_hz": RATE_HZ,
            "n_before": 3,
            "channel_ids": [f"ch{k}" for k in range(n_channels)],
            "position_um": positions,
            "shank": [0] * n_channels,
        },
    )


def example_classes(labels: LabelSet, author: Author, rng: np.random.Generator) -> LabelSet:
    """Good, mua or noise for all units but the last; a machine's come with probabilities."""
    targets = labels.items[:-1] if labels.items.size > 1 else labels.items
    columns: dict[str, Any] = {
        "target": targets,
        "label": rng.integers(0, 3, targets.size).astype(np.int32),
    }
    if author.kind == "model":
        raw = rng.uniform(0.1, 1, (targets.size, 3)).astype(np.float32)
        columns["probabilities"] = raw / raw.sum(axis=1, keepdims=True)
        columns["confidence"] = columns["probabilities"].max(axis=1)
    provenance = Provenance(
        "curation", labels.provenance.source, author, "ap", targets=(labels.digest,)
    )
    return LabelSet.build(Kind.CLASSES, columns, ("good", "mua", "noise"), provenance)


def example_trials(rng: np.random.Generator, *, n_samples: int = 300_000) -> LabelSet:
    """Spans of two classes that do not overlap."""
    edges = np.sort(rng.choice(np.arange(1, n_samples), 12, replace=False))
    provenance = Provenance("trials", "f" * 64, Author("person", "rig"), "ap")
    columns = {
        "start": edges[::2],
        "stop": edges[1::2],
        "label": rng.integers(0, 2, 6).astype(np.int32),
    }
    return LabelSet.build(Kind.SPANS, columns, ("go", "stop"), provenance)


def example_ttl(rng: np.random.Generator, *, n_samples: int = 300_000) -> LabelSet:
    """Instants without a duration."""
    provenance = Provenance("events", "f" * 64, Author("model", "nissl/lines", "1"), "ap")
    columns = {"sample": np.sort(rng.integers(0, n_samples, 9))}
    return LabelSet.build(Kind.EVENTS, columns, ("pulse",), provenance)


def example_dossier(seed: int = 0, *, n_units: int = 4, n_spikes: int = 200) -> Dossier:
    """Everything that an exporter may be given, but the raw data."""
    rng = np.random.default_rng(seed)
    labels = example_spikes(rng, n_units=n_units, n_spikes=n_spikes)
    return Dossier(
        labels=labels,
        items=example_items(labels, rng),
        stream="ap",
        classes=(
            example_classes(labels, Author("model", "unitrefine", "2"), rng),
            example_classes(labels, Author("person", "reviewer A"), rng),
        ),
        events={"trials": example_trials(rng), "camera": example_ttl(rng)},
        findings=(Finding("isi_violations", "warning", "Too many.", 0, float("nan"), 0.5),),
        log={"preprocessing": [{"step": "bandpass", "by": "nissl"}], "wall_s": 3.0},
        source={
            "path": "/somewhere/Jane_Doe/rec.bin",
            "fingerprint": "f" * 64,
            "subject": {"id": "m1", "species": "Mus musculus", "name": "Jane Doe"},
            "session": {"id": "s1", "day": "2026-03-01"},
        },
        reviewed=0.75,
        draft=False,
    )


def hash_tree(path: Path) -> dict[str, str]:
    """SHA-256 and modification time of every file below a path (or of the file itself)."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {
        str(p): hashlib.sha256(p.read_bytes()).hexdigest() + str(p.stat().st_mtime_ns)
        for p in files
    }


class ExporterContract:
    """What every exporter with an importer of the same name keeps to.

    Subclasses set `name`; `holds_items`, `holds_classes` and `holds_events` say what comes back.
    """

    name: ClassVar[str]
    holds_items: ClassVar[bool] = True
    holds_classes: ClassVar[bool] = True
    holds_events: ClassVar[bool] = True
    noun: ClassVar[str] = "spikes"

    def example(self, seed: int = 0, *, n_rows: int = 200) -> Dossier:
        """Dossier that the format can hold whole; another one for every seed."""
        return example_dossier(seed, n_spikes=n_rows)

    def assert_same_labels(self, back: Imported, dossier: Dossier) -> None:
        """The one set that was written came back alone."""
        assert back.labels == (dossier.labels,)

    def assert_same(self, back: Imported, dossier: Dossier) -> None:
        """What came back is what was written, as far as the format holds it."""
        assert back.labels[0] == dossier.labels
        assert back.labels[0].provenance == dossier.labels.provenance
        if self.holds_classes:
            assert set(back.labels[1:]) == set(dossier.classes)
        if self.holds_items:
            assert back.items[0] == dossier.items
        if self.holds_events:
            assert dict(back.events) == dict(dossier.events)
        assert (back.subject, back.session) == ("m1", "s1")
        assert back.fingerprint == "f" * 64

    @property
    def exporter(self) -> Exporter:
        """The exporter under test."""
        return EXPORTERS.get(self.name)

    @property
    def importer(self) -> Importer:
        """The importer of the same format."""
        return IMPORTERS.get(self.name)

    def target(self, folder: Path) -> Path:
        """Where to write."""
        return folder / f"out{self.exporter.suffix}"

    def round_trip(self, dossier: Dossier, folder: Path) -> Imported:
        """Write, verify and read."""
        path = self.exporter.write(dossier, self.target(folder))
        self.exporter.verify(dossier, path)
        return self.read(path)

    def read(self, path: Path) -> Imported:
        """Read what was written."""
        return self.importer.read(path)

    def test_fulfils_the_protocols(self) -> None:
        """Names agree with the registries."""
        assert isinstance(self.exporter, Exporter)
        assert isinstance(self.importer, Importer)
        assert self.exporter.name == self.importer.name == self.name

    def test_import_is_the_inverse_of_export(self, tmp_path: Path) -> None:
        """What the format holds comes back with the same digests."""
        dossier = self.example()
        self.assert_same(self.round_trip(dossier, tmp_path), dossier)

    def test_what_was_imported_can_be_exported_again(self, tmp_path: Path) -> None:
        """Without raw data, to the same labels."""
        first = self.round_trip(self.example(), tmp_path)
        again = tmp_path / f"again{self.exporter.suffix}"
        self.exporter.write(first.dossier(), again)
        self.exporter.verify(first.dossier(), again)
        assert self.read(again).labels == first.labels

    def test_without_items_classes_events(self, tmp_path: Path) -> None:
        """A bare set with a rate is enough."""
        whole = self.example(3)
        bare = Dossier(labels=whole.labels, stream="ap", source={"rate_hz": RATE_HZ})
        self.assert_same_labels(self.round_trip(bare, tmp_path), bare)

    def test_a_reviewed_set_keeps_the_facts_of_the_set_before(self, tmp_path: Path) -> None:
        """Its item table names the parent, and is not lost on the way."""
        whole = self.example(5)
        provenance = replace(
            whole.labels.provenance,
            author=Author("person", "reviewer A"),
            made_from=(whole.labels.digest,),
        )
        labels = replace(whole.labels, provenance=provenance)
        dossier = replace(whole, labels=labels, classes=())
        back = self.round_trip(dossier, tmp_path)
        self.assert_same_labels(back, dossier)
        if self.holds_items:
            assert back.dossier().items == whole.items

    def test_is_found_by_its_content(self, tmp_path: Path) -> None:
        """`find_importer` recognises what was written."""
        path = self.exporter.write(self.example(), self.target(tmp_path))
        found = find_importer(path)
        assert found is not None
        assert found.name == self.name

    def test_importing_changes_nothing(self, tmp_path: Path) -> None:
        """Not a byte, not a time stamp, not a file more."""
        path = self.exporter.write(self.example(), self.target(tmp_path))
        before = hash_tree(path)
        self.importer.read(path)
        self.importer.matches(path)
        assert hash_tree(path) == before

    def test_keeps_identifiers_out(self, tmp_path: Path) -> None:
        """No path of the raw data and nothing of the subject but the known fields."""
        path = self.exporter.write(self.example(), self.target(tmp_path))
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        assert files
        for file in files:
            assert b"Jane" not in file.read_bytes()

    def test_never_overwrites_unasked(self, tmp_path: Path) -> None:
        """What is there stays, whole."""
        path = self.exporter.write(self.example(), self.target(tmp_path))
        before = hash_tree(path)
        with pytest.raises(BadArgumentError, match="overwrite"):
            self.exporter.write(self.example(1), path)
        assert hash_tree(path) == before

    def test_overwrites_on_request(self, tmp_path: Path) -> None:
        """And leaves nothing else behind."""
        path = self.exporter.write(self.example(), self.target(tmp_path))
        other = self.example(1)
        self.exporter.write(other, path, overwrite=True)
        self.exporter.verify(other, path)
        assert os.listdir(tmp_path) == [path.name]

    def test_verify_notices_other_labels(self, tmp_path: Path) -> None:
        """A file of other spikes is refused, with what differs."""
        path = self.exporter.write(self.example(), self.target(tmp_path))
        with pytest.raises(VerificationError, match=self.noun):
            self.exporter.verify(self.example(1), path)

    def test_a_failed_write_leaves_nothing(self, tmp_path: Path) -> None:
        """Neither the target nor a temporary name."""
        dossier = self.unwritable(self.example())
        with pytest.raises(NisslError):
            self.exporter.write(dossier, self.target(tmp_path))
        assert os.listdir(tmp_path) == []

    def unwritable(self, dossier: Dossier) -> Dossier:
        """Return a dossier that the format has to refuse."""
        return Dossier(labels=dossier.events["trials"], stream="ap")

    def test_a_read_only_folder(self, tmp_path: Path) -> None:
        """Is an error of ours, for root as nobody."""
        if not hasattr(os, "geteuid"):
            pytest.skip("needs POSIX permissions")
        self.round_trip(self.example(), tmp_path)  # imports what is needed
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        is_root = os.geteuid() == 0
        try:
            if is_root:
                os.seteuid(65534)
            with pytest.raises(ReadOnlyError):
                self.exporter.write(self.example(), self.target(closed))
        finally:
            if is_root:
                os.seteuid(0)
        assert list(closed.iterdir()) == []

    def test_a_full_disk(self, tmp_path: Path) -> None:
        """Is an error of ours and leaves nothing, wherever in the file it strikes."""
        resource = pytest.importorskip("resource")
        self.round_trip(self.example(), tmp_path)
        full = tmp_path / "full"
        full.mkdir()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        for size in (0, 700, 5000):
            try:
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
                with pytest.raises(DiskFullError):
                    self.exporter.write(self.example(n_rows=3000), self.target(full))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert list(full.iterdir()) == []

    def test_folders_of_others_are_never_replaced(self, tmp_path: Path) -> None:
        """Also where overwriting was asked for."""
        precious = self.target(tmp_path)
        precious.mkdir()
        (precious / "data.bin").write_bytes(b"years of work")
        with pytest.raises(NisslError):
            self.exporter.write(self.example(), precious, overwrite=True)
        assert (precious / "data.bin").read_bytes() == b"years of work"
        assert os.listdir(tmp_path) == [precious.name]


class SpikeExporterContract(ExporterContract):
    """Further promises of formats for sorted spikes; `holds_marks` where also spans go in."""

    holds_marks: ClassVar[bool] = False

    def test_refuses_what_is_no_spikes(self, tmp_path: Path) -> None:
        """Spans, where the format holds spikes only, and sets without a row."""
        dossier = example_dossier()
        empty = LabelSet.build(
            Kind.EVENTS,
            {"sample": np.empty(0, np.int64)},
            ("unit",),
            dossier.labels.provenance,
        )
        refused = [empty] if self.holds_marks else [dossier.events["trials"], empty]
        for labels in refused:
            with pytest.raises(ExportError):
                self.exporter.write(
                    Dossier(labels=labels, source={"rate_hz": RATE_HZ}), self.target(tmp_path)
                )

    def test_needs_a_rate(self, tmp_path: Path) -> None:
        """Samples alone are no times."""
        with pytest.raises(ExportError, match="sampling rate"):
            self.exporter.write(Dossier(labels=example_dossier().labels), self.target(tmp_path))


def damage(path: Path, rng: np.random.Generator) -> str:
    """Damage one file below a path at random: cut it, overwrite bytes, empty or remove it.

    Returns
    -------
    str
        What was done.
    """
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    file = files[int(rng.integers(len(files)))]
    content = bytearray(file.read_bytes())
    kind = ("cut", "noise", "empty", "remove", "grow")[int(rng.integers(5))]
    if kind == "remove":
        file.unlink()
        return f"remove {file.name}"
    if kind == "cut":
        content = content[: int(rng.integers(len(content) + 1))]
    elif kind == "noise" and content:
        for _ in range(int(rng.integers(1, 9))):
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
    elif kind == "grow":
        content += rng.integers(0, 256, 50).astype(np.uint8).tobytes()
    else:
        content = bytearray()
    file.write_bytes(bytes(content))
    return f"{kind} {file.name}"


def read_or_refuse(importer: Importer, path: Path) -> Imported | None:
    """Read damaged labels; anything but our own errors escapes and fails the test."""
    try:
        return importer.read(path)
    except NisslError:
        return None


def times_s(labels: LabelSet, unit: int) -> npt.NDArray[np.float64]:
    """Seconds of a unit's spikes on a regular clock of `RATE_HZ`."""
    return np.asarray(labels.column("sample")[labels.rows_of(unit)] / RATE_HZ)
