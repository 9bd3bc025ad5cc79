"""Groups that people gave to clusters, and labels that sorters gave, in tables beside a sort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nissl.errors import CorruptSourceError
from nissl.io.files import read_table
from nissl.io.sidecar import Sidecar
from nissl.labels import Author, Kind, LabelSet, Provenance

GROUPS = ("good", "mua", "noise")
BESIDE = ("unsorted", "non-somatic")
"""Further classes of units that phy shows as groups under their own names."""

UNDECIDED = ("", "unsorted", "nan", "none")


def group_names(path: Path, column: str | None = None) -> dict[int, str]:
    """Text of each cluster in a TSV or CSV file; empty where there is no file.

    Parameters
    ----------
    path : Path
    column : str, optional
        The second column of the file by default.
    """
    if not path.is_file():
        return {}
    table = read_table(path)
    key = next((k for k in ("cluster_id", "id") if k in table), None)
    names = [n for n in table if n != key]
    if column is not None and column not in names:
        return {}
    if key is None or not names:
        if not any(table.values()):
            return {}
        raise CorruptSourceError(
            f"columns cluster_id and another in {path.name}", f"{list(table)}", f"Restore {path}."
        )
    texts = table[column if column is not None else names[0]]
    try:
        ids = [int(float(text)) for text in table[key]]
    except (ValueError, OverflowError) as error:
        raise CorruptSourceError(
            f"whole numbers as cluster ids in {path.name}", str(error), f"Restore {path}."
        ) from None
    if len(set(ids)) != len(ids):
        raise CorruptSourceError(
            f"each cluster once in {path.name}", "a cluster twice", f"Mend {path}."
        )
    return dict(zip(ids, texts, strict=True))


def human_groups(classes: Sequence[LabelSet]) -> LabelSet | None:
    """Newest set by a person whose classes are phy's groups, each target once."""
    fitting = [
        labels
        for labels in classes
        if labels.provenance.author.kind == "person"
        and set(labels.vocabulary.names) <= {*GROUPS, *BESIDE}
        and np.unique(labels.column("target")).size == labels.n_rows
    ]
    return fitting[-1] if fitting else None


def names_by_target(labels: LabelSet) -> dict[int, str]:
    """Class name of each target of a CLASSES set."""
    names = labels.vocabulary.names
    pairs = zip(labels.column("target").tolist(), labels.column("label").tolist(), strict=True)
    return {target: names[code] for target, code in sorted(pairs)}


def class_set(
    labels: LabelSet,
    names: Mapping[int, str],
    author: Author,
    *,
    made_from: tuple[str, ...] = (),
) -> LabelSet:
    """CLASSES over units of a set, for the targets that the set has.

    The vocabulary is good, mua, noise and whatever else is used, in alphabetical order.
    """
    known = set(labels.items.tolist())
    kept = {target: name for target, name in sorted(names.items()) if target in known}
    vocabulary = (*GROUPS, *sorted(set(kept.values()) - set(GROUPS)))
    provenance = Provenance(
        task="curation",
        source=labels.provenance.source,
        author=author,
        stream=labels.provenance.stream,
        made_from=made_from,
        targets=(labels.digest,),
    )
    columns = {
        "target": np.asarray(list(kept), np.int64),
        "label": np.asarray([vocabulary.index(name) for name in kept.values()], np.int32),
    }
    return LabelSet.build(Kind.CLASSES, columns, vocabulary, provenance)


STATED_NAMES = ("quality", "group", "KSLabel", "ks_label", "default_qc", "unit_quality")
"""Columns of others in which classes of units stand."""


def stated_classes(
    labels: LabelSet,
    columns: Mapping[str, Mapping[int, str]],
    where: str,
    reviewer: str | None,
) -> tuple[tuple[LabelSet, ...], tuple[str, ...]]:
    """CLASSES sets of columns whose author the file does not name.

    Parameters
    ----------
    labels : LabelSet
    columns : mapping of str to mapping of int to str
        Text of each unit, per column.
    where : str
        The kind of file, for the author's name.
    reviewer : str, optional
        The person behind columns that are not Kilosort's. Without a name nobody can say that
        it was a person, and the set's author is an unknown method.
    """
    sets, sentences = [], []
    for name, texts in columns.items():
        names = {unit: text.strip() for unit, text in texts.items() if _decided(text)}
        if not names:
            continue
        if "ks" in name.lower():
            author = Author("model", "kilosort")
        elif reviewer is not None:
            author = Author("person", reviewer)
        else:
            author = Author("model", f"unknown author of the column {name} in {where}")
            sentences.append(
                f"Nothing says who made the column {name!r}; name the person with --reviewer."
            )
        sets.append(class_set(labels, names, author))
    return tuple(sets), tuple(sentences)


def foreign_classes(
    folder: Path, labels: LabelSet, sidecar: Sidecar | None, reviewer: str | None
) -> tuple[tuple[LabelSet, ...], tuple[str, ...]]:
    """CLASSES sets of a phy folder, one per author, and sentences about what is doubtful.

    Parameters
    ----------
    folder : Path
    labels : LabelSet
        The spikes that were read from it.
    sidecar : Sidecar, optional
        What nissl wrote beside them.
    reviewer : str, optional
        The person behind the groups; "phy user" where it is not known.
    """
    groups = _groups(folder)
    author = Author("person", reviewer or "phy user")
    if sidecar is not None:
        return _beside_ours(groups, labels, sidecar, author)
    units = set(labels.items.tolist())
    machine = {k: v for k, v in _machine(folder).items() if k in units and _decided(v)}
    human = {k: v for k, v in groups.items() if k in units and _decided(v)}
    sets, sentences = [], []
    if machine:
        sets.append(class_set(labels, machine, Author("model", "kilosort")))
    if human and human == machine:
        sentences.append(
            "cluster_group repeats KSLabel for every cluster, as Kilosort writes it; it is not "
            "taken for a person's decision."
        )
    elif human:
        sets.append(class_set(labels, human, author))
        same = sum(machine.get(k) == v for k, v in human.items())
        if same:
            sentences.append(
                f"{same} of {len(human)} groups are those that Kilosort proposed; whether a "
                "person looked at them cannot be told from the folder."
            )
    undecided = len(units - set(human))
    if undecided and human != machine:
        sentences.append(f"{undecided} of {len(units)} clusters have no group by a person.")
    return tuple(sets), tuple(sentences)


def _beside_ours(
    groups: Mapping[int, str], labels: LabelSet, sidecar: Sidecar, author: Author
) -> tuple[tuple[LabelSet, ...], tuple[str, ...]]:
    """Sets that nissl exported, with the groups that were changed since."""
    untouched = labels.digest == sidecar.facts["labels"]["digest"]
    human = human_groups(sidecar.classes)
    before = names_by_target(human) if human is not None else {}
    if untouched and dict(groups) == before:
        return sidecar.classes, ()
    kept = tuple(each for each in sidecar.classes if each is not human) if untouched else ()
    made_from = (human.digest,) if human is not None else ()
    decided = {k: v for k, v in groups.items() if _decided(v)}
    sentences = ["The groups were changed since the export; they are a set of their own."]
    if not untouched:
        sentences = [
            "Units were merged or split since the export; opinions on the units before, by "
            "machines or other people, were left with the set that was exported."
        ]
    if not decided:
        return kept, tuple(sentences)
    return (*kept, class_set(labels, decided, author, made_from=made_from)), tuple(sentences)


def _groups(folder: Path) -> dict[int, str]:
    for name in ("cluster_group.tsv", "cluster_group.csv", "cluster_groups.csv"):
        path = folder / name
        if path.is_file():
            # Kilosort 4 copies its labels here under their own header
            return {} if "KSLabel" in read_table(path) else group_names(path)
    return group_names(folder / "cluster_info.tsv", "group")


def _machine(folder: Path) -> dict[int, str]:
    for path, column in (
        (folder / "cluster_KSLabel.tsv", None),
        (folder / "cluster_info.tsv", "KSLabel"),
        (folder / "cluster_group.tsv", "KSLabel"),
    ):
        found = group_names(path, column)
        if found:
            return found
    return {}


def _decided(name: str) -> bool:
    return name.strip().lower() not in UNDECIDED
