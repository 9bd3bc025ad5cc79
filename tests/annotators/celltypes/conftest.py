"""Simulated cells with their features, shared by the tests of the classifier."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.celltypes.features import featurise_units
from nissl.annotators.celltypes.fitting import grown
from nissl.annotators.celltypes.learner import CelltypesLearner, with_curves
from nissl.annotators.celltypes.model import shipped
from nissl.annotators.celltypes.simulate import CARICATURES, simulate_units
from nissl.annotators.celltypes.vocabulary import UNKNOWN
from nissl.labels import FeatureTable
from nissl.tasks import Examples

CLASSES = tuple(CARICATURES)


def of(units, kinds, animals) -> Examples:
    """Examples of units."""
    table = with_curves(featurise_units(units, subject=animals, session=animals))
    names = (*CLASSES, UNKNOWN)
    codes = np.asarray([names.index(kind) for kind in kinds], np.int64)
    return Examples(table, codes, np.ones(len(codes)), names)


@pytest.fixture(scope="session")
def units():
    """90 simulated units, their kinds and the animals they are dealt to."""
    cells = simulate_units(3, n_units=90, duration_s=400.0)
    animals = [f"m{k // 15}" for k in range(90)]  # whole rounds of the five kinds each
    return list(cells.units), list(cells.kind), animals


@pytest.fixture(scope="session")
def examples(units):
    """The same as examples."""
    return of(*units)


@pytest.fixture(scope="session")
def learner(examples):
    """A learner of 75 of them; 15 (of the animal m5) are left out."""
    rows = np.asarray(examples.features.subject) != "m5"
    encoders = shipped().frame.encoders
    return CelltypesLearner(grown(examples.take(rows), encoders, seed=1))


def without(table: FeatureTable, *beginnings: str) -> FeatureTable:
    """The table with NaN in the columns whose names begin so."""
    values = table.values.copy()
    values[:, [k for k, n in enumerate(table.names) if n.startswith(beginnings)]] = np.nan
    return replace(table, values=values)
