"""From libraries to what a learner learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nissl.annotators.celltypes.learner import with_curves
from nissl.annotators.celltypes.library import Library, columns_of
from nissl.annotators.celltypes.library_files import read_library
from nissl.annotators.celltypes.merging import merged
from nissl.errors import BadArgumentError
from nissl.tasks import Examples, Learner


def examples_of(paths: Sequence[Path], learner: Learner, *, extend: bool) -> Examples:
    """Labelled units of libraries, with the columns that a learner of cell types makes.

    Parameters
    ----------
    paths : sequence of Path
        Library files.
    learner : Learner
    extend : bool
        Whether the classes that the learner knows stay beside the libraries'.

    Raises
    ------
    BadArgumentError
        The learner is of another task, or the libraries contradict each other.
    """
    if not learner.name.startswith("celltypes/"):
        raise BadArgumentError(
            "the task celltypes, which learns from libraries",
            f"a learner of {learner.name.partition('/')[0]!r}",
            "nissl learn STUDY --task celltypes --library PATH",
        )
    library, _ = merged([read_library(path) for path in paths], name="what is learnt from")
    return taught_by(library, learner, extend=extend)


def taught_by(library: Library, learner: Learner, *, extend: bool) -> Examples:
    """Labelled units of a library as examples for a learner of cell types."""
    from nissl.annotators.celltypes.curves import CURVE_NAMES
    from nissl.annotators.celltypes.features import NAMES

    classes = library.classes
    if extend:
        known = learner.vocabulary.names[:-1]
        classes = (*known, *(name for name in classes if name not in known))
    examples = library.examples(classes=classes)
    bare = [n for n in examples.features.names if n not in CURVE_NAMES]
    table = with_curves(columns_of(examples.features, bare))
    table = columns_of(table, (*CURVE_NAMES, *NAMES))
    return Examples(table, examples.label, examples.weight, examples.classes, not extend)
