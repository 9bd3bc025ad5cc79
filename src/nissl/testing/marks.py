"""Contract suite of formats of annotations, and the spans that they are tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import strategies as st

from nissl.annotators.sleep.stages import STAGES
from nissl.clock import Clock
from nissl.data import ChannelTable
from nissl.errors import BadLabelsError, ExportError, NisslError, VerificationError
from nissl.io.contracts import Imported
from nissl.io.mark_format import from_zero
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.rows import ORDER
from nissl.tasks import Dossier
from nissl.testing.exporters import ExporterContract, damage, read_or_refuse
from nissl.testing.strategies import clocks

RATE_HZ = 128.0
CHANNELS = ("Fp1", "C3", "C4", "EEG Pz-Oz")
GAPPED = Clock.from_segments(RATE_HZ, [4000, 9000, 120_000], [0.0, 40.0, 200.0])
"""A recording with two gaps; the samples of spans go on over them, the seconds do not."""
ANNA = Author("person", "anna")
Row = tuple[int, int, str, str]


def span_dossier(
    seed: int = 0,
    *,
    n_rows: int = 200,
    classes: Sequence[str] = ("spindle", "K-complex", "artifact"),
    author: Author = ANNA,
    channels: bool = True,
    clock: Clock | None = None,
) -> Dossier:
    """Spans of a few classes, some on a channel, on a recording that is not at hand.

    Parameters
    ----------
    seed : int
    n_rows : int
    classes : sequence of str
    author : Author
        A model's spans come with confidence and probabilities.
    channels : bool
        Whether some are on a single channel.
    clock : Clock, optional
        One segment of 128 Hz that holds all rows by default.
    """
    rng = np.random.default_rng(seed)
    n_samples = max(133_000, 40 * n_rows) if clock is None else clock.n_samples
    start = np.sort(rng.choice(n_samples - 400, n_rows, replace=n_rows > n_samples - 400))
    stop = start + rng.integers(1, 400, n_rows)
    used = Clock.regular(RATE_HZ, n_samples) if clock is None else clock
    for segment in used.segments[:-1]:  # none crosses a gap
        inside = start < segment.stop
        stop = np.where(inside & (stop > segment.stop), segment.stop, stop)
    columns: dict[str, Any] = {
        "start": start,
        "stop": stop,
        "label": rng.integers(0, len(classes), n_rows).astype(np.int32),
    }
    if channels:
        on = rng.integers(-1, len(CHANNELS), n_rows).tolist()
        columns["channel"] = [None if c < 0 else c for c in on]
    if author.kind == "model":
        raw = rng.uniform(0.05, 1, (n_rows, len(classes))).astype(np.float32)
        columns["probabilities"] = raw / raw.sum(axis=1, keepdims=True)
        columns["confidence"] = columns["probabilities"].max(axis=1)
    return dossier_of(LabelSet.build(Kind.SPANS, columns, classes, _provenance(author)), used)


def night_dossier(
    seed: int = 0, *, n_rows: int = 200, epoch_s: float = 30.0, author: Author | None = None
) -> Dossier:
    """Stages of consecutive epochs, as the task "sleep" gives them."""
    rng = np.random.default_rng(seed)
    edges = (np.arange(n_rows + 1) * epoch_s * RATE_HZ).astype(np.int64)
    columns = {
        "start": edges[:-1],
        "stop": edges[1:],
        "label": rng.integers(0, len(STAGES), n_rows).astype(np.int32),
    }
    about = replace(_provenance(author or Author("person", "anna")), task="sleep")
    labels = LabelSet.build(Kind.SPANS, columns, STAGES, about)
    return dossier_of(labels, Clock.regular(RATE_HZ, int(edges[-1])))


def instants_dossier(seed: int = 0, *, n_rows: int = 50) -> Dossier:
    """Events without a duration."""
    rng = np.random.default_rng(seed)
    columns = {"sample": np.sort(rng.integers(0, 133_000, n_rows)), "label": np.arange(n_rows) % 2}
    about = _provenance(Author("person", "anna"))
    labels = LabelSet.build(Kind.EVENTS, columns, ("blink", "spike"), about)
    return dossier_of(labels, Clock.regular(RATE_HZ, 133_000))


@st.composite
def spans_on_clocks(draw: st.DrawFn, names: tuple[str, str] = ("a", "b")) -> tuple[Clock, LabelSet]:
    """Spans on a random clock that begins at second 0, cut at its gaps, some on a channel."""
    clock = from_zero(draw(clocks()))
    rows: list[tuple[int, int, int, int | None]] = []
    for item in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, clock.n_samples - 1))
        stop = draw(st.integers(start + 1, clock.n_samples))
        channel = draw(st.none() | st.integers(0, 2))
        rows += [(item, a, b, channel) for a, b in clock.split(start, stop)]
    columns = {
        "item": [r[0] for r in rows],
        "start": [r[1] for r in rows],
        "stop": [r[2] for r in rows],
        "label": [r[0] % 2 for r in rows],
        "channel": [r[3] for r in rows],
    }
    return clock, LabelSet.build(Kind.SPANS, columns, names, _provenance(ANNA))


def _provenance(author: Author) -> Provenance:
    return Provenance("events", "f" * 64, author, "eeg", {"threshold": 2.5}, seed=3)


def dossier_of(labels: LabelSet, clock: Clock) -> Dossier:
    """Dossier of a set on a recording that is not at hand."""
    stream = {
        "rate_hz": clock.rate_hz,
        "clock": clock.to_json(),
        "channels": ChannelTable.plain(CHANNELS, kind="eeg").to_json(),
    }
    return Dossier(
        labels=labels,
        stream="eeg",
        source={
            "path": "/somewhere/Jane_Doe/night.edf",
            "fingerprint": "f" * 64,
            "subject": {"id": "m1", "name": "Jane Doe"},
            "session": {"id": "s1", "day": "2026-03-01"},
            "streams": {"eeg": stream},
        },
        reviewed=0.5,
        draft=False,
    )


def rows_of(labels: Sequence[LabelSet], ids: Sequence[str] = CHANNELS) -> list[Row]:
    """Start, stop (or -1), class and channel of all rows of some sets, in order."""
    rows: list[Row] = []
    for each in labels:
        start = each.column(ORDER[each.kind]).tolist()
        stop = each.column("stop").tolist() if each.kind is Kind.SPANS else [-1] * each.n_rows
        names = [each.vocabulary.names[c] for c in each.column("label").tolist()]
        on = ["" if c < 0 else ids[c] for c in each.column("channel").tolist()]
        rows += list(zip(start, stop, names, on, strict=True))
    return sorted(rows)


class AnnotationContract(ExporterContract):
    """What every format of SPANS and EVENTS keeps to.

    Subclasses set `name`, and say with `holds_sets`, `holds_author` and `holds_text` what comes
    back; formats for stages or seizures override `example`.
    """

    holds_items = holds_classes = holds_events = False
    noun = "annotations"
    holds_sets: ClassVar[bool] = False
    holds_author: ClassVar[bool] = False
    holds_text: ClassVar[bool] = True
    holds_instants: ClassVar[bool] = True
    holds_channels: ClassVar[bool] = True
    large: ClassVar[int] = 100_000

    def example(self, seed: int = 0, *, n_rows: int = 200) -> Dossier:
        """Spans of three classes."""
        return span_dossier(seed, n_rows=n_rows, channels=self.holds_channels)

    def read(self, path: Path) -> Imported:
        """Read at the rate of the example."""
        return self.importer.read(path, rate_hz=RATE_HZ)

    def assert_same_labels(self, back: Imported, dossier: Dossier) -> None:
        """The same set, or the same rows where the format holds no more."""
        if self.holds_sets:
            assert back.labels == (dossier.labels,)
            return
        facts = back.facts.get("channels")
        ids = facts["ids"] if facts else CHANNELS
        known = dossier.source.get("streams")
        given = CHANNELS if known else tuple(str(k) for k in range(len(CHANNELS)))
        assert rows_of(back.labels, ids) == rows_of([dossier.labels], given)

    def assert_same(self, back: Imported, dossier: Dossier) -> None:
        """Rows, author, and with whole sets the subject and the recording too."""
        self.assert_same_labels(back, dossier)
        if self.holds_author:
            assert {s.provenance.author.name for s in back.labels} == {"anna"}
        if self.holds_sets:
            assert back.labels[0].provenance == dossier.labels.provenance
            assert (back.subject, back.session) == ("m1", "s1")
            assert back.fingerprint == "f" * 64

    def unwritable(self, dossier: Dossier) -> Dossier:
        """Classes have no times."""
        classes = LabelSet.build(Kind.CLASSES, {"target": [0]}, ("a",), dossier.labels.provenance)
        return replace(dossier, labels=classes)

    def test_without_items_classes_events(self, tmp_path: Path) -> None:
        """A set with a rate is enough; channels are then numbers."""
        whole = self.example(3)
        bare = Dossier(labels=whole.labels, stream="eeg", source={"rate_hz": RATE_HZ})
        back = self.round_trip(bare, tmp_path)
        self.assert_same_labels(back, bare)

    def test_import_export_import_is_the_identity(self, tmp_path: Path) -> None:
        """Sets that were read once are the same sets after another export."""
        first = self.round_trip(self.example(8), tmp_path)
        path = tmp_path / f"again{self.exporter.suffix}"
        self.exporter.write(first.dossier(), path)
        again = self.read(path)
        assert again.labels == first.labels
        assert again.fingerprint == first.fingerprint

    def test_needs_a_rate(self, tmp_path: Path) -> None:
        """Samples alone are no times."""
        with pytest.raises(ExportError, match="sampling rate"):
            self.exporter.write(Dossier(labels=self.example().labels), self.target(tmp_path))

    def test_many_rows(self, tmp_path: Path) -> None:
        """A hundred thousand come back, every one."""
        dossier = self.example(2, n_rows=self.large)
        self.assert_same_labels(self.round_trip(dossier, tmp_path), dossier)

    def test_verify_notices_a_moved_row(self, tmp_path: Path) -> None:
        """By a single sample."""
        dossier = self.example()
        path = self.exporter.write(dossier, self.target(tmp_path))
        moved = self.moved(dossier)
        with pytest.raises((VerificationError, ExportError)):
            self.exporter.verify(moved, path)

    def moved(self, dossier: Dossier) -> Dossier:
        """Return the dossier with its last row a sample later."""
        table = dossier.labels.table
        stop = dossier.labels.column("stop").copy()
        stop[-1] += 1
        columns = {name: table.column(name) for name in table.column_names} | {"stop": stop}
        labels = LabelSet.build(
            Kind.SPANS, columns, dossier.labels.vocabulary, dossier.labels.provenance
        )
        return replace(dossier, labels=labels)

    @pytest.mark.parametrize("seed", range(8))
    def test_a_damaged_file_is_read_or_refused(self, tmp_path: Path, seed: int) -> None:
        """Nothing but our own errors, whatever was done to it."""
        rng = np.random.default_rng(seed)
        for k in range(6):
            path = self.target(tmp_path / f"{k}")
            path.parent.mkdir()
            self.exporter.write(self.example(n_rows=20), path)
            damage(path, rng)
            self.importer.matches(path)
            read_or_refuse(self.importer, path)


class FreeSpansContract(AnnotationContract):
    """Further promises of formats that hold spans of any class at any time."""

    @pytest.mark.parametrize("seed", range(3))
    def test_gaps_keep_their_place(self, tmp_path: Path, seed: int) -> None:
        """Seconds of the clock go into the file, samples come back."""
        dossier = span_dossier(seed, n_rows=60, clock=GAPPED, channels=self.holds_channels)
        path = self.exporter.write(dossier, self.target(tmp_path))
        self.exporter.verify(dossier, path)

    def test_spans_of_one_sample(self, tmp_path: Path) -> None:
        """Are not lost in rounding."""
        dossier = span_dossier(n_rows=50, channels=self.holds_channels)
        start = dossier.labels.column("start")
        columns = {"start": start, "stop": start + 1, "label": dossier.labels.column("label")}
        made = LabelSet.build(
            Kind.SPANS, columns, dossier.labels.vocabulary, dossier.labels.provenance
        )
        self.assert_same_labels(
            self.round_trip(replace(dossier, labels=made), tmp_path), replace(dossier, labels=made)
        )

    def test_instants(self, tmp_path: Path) -> None:
        """Events come back as events, or are refused."""
        dossier = instants_dossier()
        if not self.holds_instants:
            with pytest.raises(NisslError):
                self.exporter.write(dossier, self.target(tmp_path))
            return
        self.assert_same_labels(self.round_trip(dossier, tmp_path), dossier)

    @pytest.mark.parametrize(
        "text", ["Schläfchen µ", "眠り", "a/b (c) 'd' \"e\"", "<&>", "x; y", "1"]
    )
    def test_text_of_all_kinds(self, tmp_path: Path, text: str) -> None:
        """Names come back letter by letter, or are refused."""
        dossier = span_dossier(n_rows=20, classes=(text, "b"), channels=self.holds_channels)
        if not self.holds_text and not text.isascii():
            with pytest.raises(ExportError):
                self.exporter.write(dossier, self.target(tmp_path))
            return
        self.assert_same_labels(self.round_trip(dossier, tmp_path), dossier)

    def test_an_empty_set(self, tmp_path: Path) -> None:
        """No annotation is a result too."""
        columns: dict[str, npt.NDArray[np.int64]] = {
            k: np.empty(0, np.int64) for k in ("start", "stop")
        }
        whole = self.example()
        about = whole.labels.provenance
        dossier = replace(whole, labels=LabelSet.build(Kind.SPANS, columns, ("spindle",), about))
        back = self.round_trip(dossier, tmp_path)
        assert [s.n_rows for s in back.labels] == [0]

    def test_a_negative_onset_is_an_error(self, tmp_path: Path) -> None:
        """In whatever way the file says it."""
        path = self.with_onset(tmp_path, -5.0)
        if path is None:
            pytest.skip("the format has no way to say it")
        with pytest.raises(BadLabelsError):
            self.importer.read(path)

    def with_onset(self, folder: Path, onset_s: float) -> Path | None:
        """File with one annotation at a time; None where the format cannot say it."""
        return None
