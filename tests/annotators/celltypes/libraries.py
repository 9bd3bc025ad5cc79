"""Small libraries for tests."""

import numpy as np
from hypothesis import strategies as st

from nissl.annotators.celltypes.axes import ACG, ACG3, ISI, WAVE
from nissl.annotators.celltypes.library import EVIDENCE, Library
from nissl.labels import FeatureTable

NAMES = ("firing_rate_hz", "cv2", *WAVE, *ACG, *ISI, *ACG3)
UNITS = ("Hz", *([""] * (len(NAMES) - 1)))


def features(n, *, seed=0, names=NAMES, units=None, subject=None, session=None):
    """Random features; some are missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, len(names)))
    values[rng.random(values.shape) < 0.05] = np.nan
    return FeatureTable(
        np.arange(n, dtype=np.int64),
        tuple(names),
        values,
        UNITS if units is None else tuple(units),
        tuple(subject or [f"m{k % 3}" for k in range(n)]),
        tuple(session or [f"day{k % 2}" for k in range(n)]),
    )


def library(labels=("PV", "SST", "", "VIP"), *, seed=0, card=None, facts=None, **more):
    """A library with these labels, all from optotagging."""
    n = len(labels)
    return Library(
        features(n, seed=seed, **more),
        tuple(labels),
        tuple("optotagging" if name else "" for name in labels),
        {"lab": ("here",) * n} if facts is None else facts,
        {"name": "ours", "licence": "CC-BY-4.0"} | (card or {}),
    )


_words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@st.composite
def libraries(draw):
    """Libraries of up to five units with any numbers, names and facts."""
    n = draw(st.integers(0, 5))
    scalars = draw(st.lists(_words.filter(bool), max_size=3, unique=True))
    curves = [each for each in (WAVE, ACG, ISI, ACG3) if draw(st.booleans())]
    names = [*scalars, *(name for each in curves for name in each)]
    names = list(dict.fromkeys(names))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    values = rng.normal(size=(n, len(names))) * 10.0 ** draw(st.integers(-3, 3))
    values[rng.random(values.shape) < 0.2] = np.nan
    column = st.lists(_words, min_size=n, max_size=n).map(tuple)
    labels = st.lists(st.sampled_from(["", "PV", "my type", "SOM", "unknown"]), min_size=n)
    return Library(
        FeatureTable(
            np.asarray(draw(st.lists(st.integers(0, 2**40), min_size=n, max_size=n)), np.int64),
            tuple(names),
            values,
            tuple(draw(_words) if name in scalars else "" for name in names),
            draw(column),
            draw(column),
        ),
        tuple(draw(labels)[:n]),
        tuple(draw(st.lists(st.sampled_from(EVIDENCE), min_size=n, max_size=n))),
        draw(st.dictionaries(_words, column, max_size=2)),
        {"name": "any", "licence": "CC0-1.0", "version": "3"}
        | draw(
            st.dictionaries(st.sampled_from(["classes", "more"]), st.dictionaries(_words, _words))
        ),
    )
