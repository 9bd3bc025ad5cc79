"""Independent components keep all seven probabilities of ICLabel."""

import numpy as np
import pytest

from nissl.annotators.events.components import CLASSES, components
from nissl.annotators.events.simulate import simulate
from nissl.errors import MissingInputError

pytest.importorskip("mne_icalabel")
NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8")


def test_components_have_seven_probabilities_and_find_the_eyes():
    recording, _ = simulate(
        1, kinds={"blink": 20.0}, duration_s=60.0, n_channels=12, snr=15.0, channel_names=NAMES
    )
    found = components(recording, "eeg", seed=0)
    p = np.stack(found.labels.table.column("probabilities").to_pylist())
    assert found.labels.vocabulary.names == CLASSES
    assert p.shape == (11, 7)
    assert np.allclose(p.sum(axis=1), 1, atol=1e-4)
    assert found.activations.n_channels == 11
    assert found.mixing.shape == (12, 11)
    frontal = np.abs(found.mixing[:2]).mean(axis=0) / np.abs(found.mixing).mean(axis=0)
    assert p[int(frontal.argmax()), CLASSES.index("eye")] > 0.3


def test_without_electrodes_it_says_so():
    recording, _ = simulate(1, kinds={}, duration_s=20.0)
    with pytest.raises(MissingInputError, match="at least 4 electrodes"):
        components(recording, "eeg")
