"""Projects ready for review, with known content, for tests and demonstrations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.store import SourceRow, Store
from nissl.testing.dossiers import spike_dossier

QUALITY = ("good", "mua", "noise")


def unit_study(
    path: str | Path,
    *,
    n_units: int = 12,
    n_sessions: int = 1,
    seed: int = 0,
    duration_s: float = 2.0,
    accuracy: float = 0.9,
) -> dict[str, list[str]]:
    """Write a project of sorted units with proposed classes; raw data are not there.

    Parameters
    ----------
    path : str or Path
        A new project folder.
    n_units, n_sessions : int
        Units per session. Every session is another subject.
    seed : int
    duration_s : float
        Seconds.
    accuracy : float
        Mean confidence of the proposed classes, which is how often they are right.

    Returns
    -------
    dict of str to list of str
        Digest of each desk's base to the true class of its units, in order of their ids.
    """
    truth: dict[str, list[str]] = {}
    rng = np.random.default_rng(seed)
    with Store.open(Path(path)) as store:
        for session in range(n_sessions):
            dossier = spike_dossier(
                seed + session, n_units=n_units, n_channels=6, duration_s=duration_s
            )
            source = _source(dossier.source, session)
            store.add_source(source)
            provenance = replace(dossier.labels.provenance, source=source.fingerprint)
            labels = LabelSet(
                Kind.EVENTS, dossier.labels.table, dossier.labels.vocabulary, provenance
            )
            digest = store.put_labels(labels)
            items = None
            if dossier.items is not None:
                items = store.put_items(replace(dossier.items, of=digest))
            store.record_labels(digest, items=items)
            codes, classes = proposed_classes(labels, rng, accuracy=accuracy)
            store.record_labels(store.put_labels(classes))
            truth[digest] = [QUALITY[code] for code in codes]
    return truth


def proposed_classes(
    labels: LabelSet, rng: np.random.Generator, *, accuracy: float = 0.9
) -> tuple[list[int], LabelSet]:
    """True codes of the units, and a calibrated proposal of their classes.

    Parameters
    ----------
    labels : LabelSet
        Units.
    rng : numpy.random.Generator
    accuracy : float
        Mean confidence, above 1/3.
    """
    n, k = labels.items.size, len(QUALITY)
    sharp = accuracy / (1 - accuracy)
    top = np.clip(rng.beta(sharp, 1.0, n), 1 / k, 0.999)
    label = rng.integers(0, k, n)
    probabilities = np.repeat(((1 - top) / (k - 1))[:, None], k, axis=1)
    probabilities[np.arange(n), label] = top
    truth = [int(rng.choice(k, p=p)) for p in probabilities]
    columns: dict[str, Any] = {
        "item": labels.items,
        "id": labels.items,
        "target": labels.items,
        "label": label.astype(np.int32),
        "confidence": top.astype(np.float32),
        "probabilities": probabilities.astype(np.float32),
    }
    provenance = Provenance(
        "curation",
        labels.provenance.source,
        Author("model", "curation/simulated", "1"),
        labels.provenance.stream,
        targets=(labels.digest,),
        made_from=(labels.digest,),
    )
    return truth, LabelSet.build(Kind.CLASSES, columns, QUALITY, provenance)


def _source(facts: Any, session: int) -> SourceRow:
    return SourceRow(
        fingerprint=f"{session:064x}",
        name=f"session-{session}",
        path=f"gone/session-{session}.bin",
        format=str(facts["format"]),
        subject={"id": f"animal-{session}"},
        session={"id": "day1"},
        streams=dict(facts["streams"]),
    )
