"""Why the sorter gave a source's spikes to their units: `Project.explain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingDependencyError, MissingInputError
from nissl.labels import LabelSet
from nissl.labels.replay import replay
from nissl.project.annotating import Resources, current
from nissl.project.dossier import run_log
from nissl.project.source import Source
from nissl.store import Store
from nissl.tasks import ANNOTATORS, Finding

if TYPE_CHECKING:  # numba takes a second to load
    from nissl.annotators.spikes.adapter import Shank
    from nissl.annotators.spikes.own.keeping import Kept
    from nissl.annotators.spikes.own.sorter import Fitted

Ints = npt.NDArray[np.int64]

TASK, METHOD = "spikes", "spikes/nissl"
FEW_SPIKES = 12
"""Of every other unit, to learn what the labels call it."""


@dataclass(frozen=True)
class Explanations:
    """Units that were explained, and a spike of each where one was asked for.

    Parameters
    ----------
    units : tuple of mapping
        JSON values; see `nissl.report.explanations.unit_json`. Where a moment was named, `spike`
        has the facts of the spike nearest to it.
    sentences : tuple of str
    findings : tuple of Finding
        What could not be explained.
    files : tuple of Path
        Pictures and facts.
    """

    units: tuple[Mapping[str, Any], ...]
    sentences: tuple[str, ...]
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Asked:
    """What is to be explained.

    Parameters
    ----------
    units : tuple of int
        Items of the labels; none means all.
    at_s : float, optional
        Also the spike of each unit that is nearest to this moment, seconds of the recording.
    most : int
        Spikes of a unit that are looked at.
    out : Path, optional
        Folder of pictures and facts.
    labels : str
        Digest of the sorting.
    """

    units: tuple[int, ...] = ()
    at_s: float | None = None
    most: int = 200
    out: Path | None = None
    labels: str = ""


@dataclass(frozen=True, eq=False)
class Train:
    """Spikes of a unit, as the labels have them.

    Parameters
    ----------
    samples : ndarray, shape (n,), int64
        Increasing.
    confidence : ndarray, shape (n,), float64, or None
        None where no spike has one.
    """

    samples: Ints
    confidence: npt.NDArray[np.float64] | None

    @classmethod
    def of(cls, samples: npt.ArrayLike, confidence: npt.ArrayLike) -> Train:
        """In order of time."""
        at, sure = np.asarray(samples, np.int64), np.asarray(confidence, np.float64)
        order = np.argsort(at, kind="stable")
        return cls(at[order], sure[order] if np.isfinite(sure).any() else None)


@dataclass
class Told:
    """What has been told so far, while units are explained one after another."""

    units: list[dict[str, Any]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def explain(
    store: Store, source: Source, asked: Asked, resources: Resources | None = None
) -> Explanations:
    """Explain units of a sorting by `spikes/nissl`; see `nissl.project.Project.explain`."""
    for package, command in ANNOTATORS.get(METHOD).missing().items():
        raise MissingDependencyError(f"{package} for {METHOD}", "not installed", command)
    from nissl.annotators.spikes.own.refitting import refit, shank_of, shanks

    labels, base = _sorting(store, source)
    chosen = _chosen(labels, asked)
    asked = replace(asked, labels=base.digest)
    made = base.provenance
    signal = source.recording[str(made.stream)]
    out = asked.out or Path(store.path) / "reports" / f"{source.name}.explained"
    told = Told(findings=[*versions(base), *_devices(store, base)])
    with TemporaryDirectory(prefix="nissl-explain-") as scratch:
        context = (resources or Resources()).context(Path(scratch), int(made.seed or 0))
        found = shanks(signal, made.parameters, context)
        main = {item: _channel(labels, item) for item in labels.items.tolist()}
        for shank in found:
            own = [item for item in chosen if main[item] in shank.columns]
            if not own:
                continue
            fitted = refit(signal, shank, made.parameters, context, kept(store, base, shank))
            others = [item for item, column in main.items() if column in shank.columns]
            names = names_of(signal, fitted, labels, others)
            for item in own:
                explain_one(told, signal, fitted, train_of(labels, item), item, names, asked, out)
        for item in chosen:
            shank_of(found, main[item])
    return Explanations(
        tuple(told.units), tuple(told.sentences), tuple(told.findings), tuple(told.files)
    )


def _sorting(store: Store, source: Source) -> tuple[LabelSet, LabelSet]:
    """The newest sorting by our own sorter, as people left it, and as it was made.

    The one that counts comes first.
    """
    head = current(store, source, TASK)
    rows = store.label_sets(source=source.fingerprint, task=TASK)
    own = [row.digest for row in rows if row.author.name == METHOD]
    digest = head if head in own else own[-1] if own else None
    if digest is None:
        raise MissingInputError(
            f"a sorting of {source.name!r} by {METHOD}",
            f"{len(rows)} by others" if rows else "none",
            f"Make one: nissl annotate {store.path} --task {METHOD} --source {source.name}",
        )
    base = store.get_labels(digest)
    return replay(base, store.edits(base=digest)).labels, base


def _chosen(labels: LabelSet, asked: Asked) -> list[int]:
    there = labels.items.tolist()
    missing = [item for item in asked.units if item not in there]
    if missing:
        raise BadArgumentError(
            f"units among {_short(there)}", f"{missing}", "`nissl report` shows the units."
        )
    if not 1 <= asked.most <= 100_000:
        raise BadArgumentError(
            "1 to 100,000 spikes of a unit", f"{asked.most}", "200 are enough: --spikes 200."
        )
    return list(asked.units) or there


def _short(items: Sequence[int]) -> str:
    some = ", ".join(map(str, items[:20]))
    return f"{some}, ... ({len(items)} in all)" if len(items) > 20 else some or "none"


def kept(store: Store, base: LabelSet, shank: Shank) -> Kept | None:
    """Where the sorter that was fitted again to a sorting is kept; None where nothing is written.

    The folder may be removed at any time.
    """
    from nissl.annotators.spikes.own.keeping import Kept
    from nissl.annotators.spikes.own.method import VERSION
    from nissl.annotators.spikes.own.refitting import device_of

    if not store.writable:
        return None
    of = {
        "labels": base.digest,
        "columns": list(map(int, shank.columns)),
        "device": device_of(base.provenance.parameters),
        "version": VERSION,
    }
    return Kept(store.workdir(f"explained-{base.digest[:32]}"), of)


def versions(base: LabelSet) -> list[Finding]:
    """A warning where another version of the sorter made the labels than fits now."""
    made, now = base.provenance.author.version, ANNOTATORS.get(METHOD).version
    if made == now:
        return []
    sentence = (
        f"Version {made} of {METHOD} made these labels; version {now} explains them, which may "
        "find other units."
    )
    return [Finding("version", "warning", sentence)]


def _devices(store: Store, base: LabelSet) -> list[Finding]:
    """A warning where the labels were made on another device, whose sums are rounded otherwise."""
    from nissl.annotators.spikes.own.matching.devices import told
    from nissl.annotators.spikes.own.refitting import device_of

    made = run_log(store, base.digest).get("device", "cpu")
    now = told(device_of(base.provenance.parameters))
    if made == now:
        return []
    sentence = (
        f"The labels were made on {made} and are explained on {now}: a few spikes may differ."
    )
    return [Finding("device", "warning", sentence)]


def channel_of(columns: npt.ArrayLike) -> int:
    """Channel that most spikes stand on, from that of each; -1 where it is not known."""
    own = np.asarray(columns, np.int64)
    return int(np.bincount(own[own >= 0], minlength=1).argmax())


def _channel(labels: LabelSet, item: int) -> int:
    """Channel that most spikes of a unit stand on."""
    return channel_of(labels.column("channel")[labels.rows_of(item)])


def train_of(labels: LabelSet, item: int) -> Train:
    """Spikes of a unit."""
    rows = labels.rows_of(item)
    return Train.of(labels.column("sample")[rows], labels.column("confidence")[rows])


def names_of(
    signal: Signal, fitted: Fitted, labels: LabelSet, items: Sequence[int]
) -> dict[int, int]:
    """Item of the labels by unit of the fitted sorter, from a few spikes of each."""
    from nissl.annotators.spikes.own.explaining.recognising import recognise
    from nissl.annotators.spikes.own.explaining.surroundings import surroundings
    from nissl.annotators.spikes.own.matching.matching import screen_of

    best: dict[int, tuple[float, int]] = {}
    if fitted.templates is None:
        return {}
    screen = screen_of(signal, fitted.front)
    for item in items:
        every = train_of(labels, item).samples
        rows = np.linspace(0, every.size - 1, min(FEW_SPIKES, every.size)).round().astype(int)
        few = every[np.unique(rows)]
        around = [surroundings(signal, fitted, int(s), screen) for s in few]
        found = recognise(around, few, fitted, signal.rate_hz)
        if found.unit >= 0 and found.share > best.get(found.unit, (0.0, 0))[0]:
            best[found.unit] = (found.share, item)
    return {unit: item for unit, (_, item) in best.items()}


def explain_one(
    told: Told,
    signal: Signal,
    fitted: Fitted,
    train: Train,
    item: int,
    names: Mapping[int, int],
    asked: Asked,
    out: Path,
) -> None:
    """Explain a unit, and add what there is to say, and the files, to `told`."""
    from nissl.annotators.spikes.own.explaining.units import explain_at, explain_unit
    from nissl.report import explanations as words

    samples, channels = train.samples, dict(enumerate(signal.channels.ids))
    unit = explain_unit(signal, fitted, samples, train.confidence, asked.most)
    if unit is None or not unit.spikes:
        sentence = f"Unit {item}: the sorter, fitted again, has no unit that fires with it."
        told.findings.append(Finding("lost", "warning", sentence, item=item))
        return
    facts = words.unit_json(item, unit, names, channels) | {"labels": asked.labels}
    told.sentences.extend(words.unit_sentences(facts))
    told.files.append(
        words.write_picture(unit.spikes, channels, item, names, out / f"unit-{item}.png")
    )
    if asked.at_s is not None:
        near = int(samples[np.argmin(np.abs(signal.clock.to_seconds(samples) - asked.at_s))])
        spike = explain_at(signal, fitted, near, unit.recognised)
        at_s = float(signal.clock.to_seconds([near])[0])
        if spike is None:
            sentence = f"Unit {item}: the sorter has no spike of it again at {at_s:.4f} s."
            told.findings.append(Finding("lost", "warning", sentence, item=item))
        else:
            facts["spike"] = words.spike_json(item, spike, names, channels) | {"sample": near}
            told.sentences.extend(words.spike_sentences(facts["spike"], at_s))
            path = out / f"unit-{item}-at-{at_s:.4f}s.png"
            told.files.append(words.write_picture([spike], channels, item, names, path))
    told.files.append(words.write_json(facts, out / f"unit-{item}.json"))
    told.units.append(facts)
