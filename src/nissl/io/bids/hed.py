"""Terms of the HED-SCORE library for classes that have one.

The tags are those of the schema score 2.1.0 (Hierarchical Event Descriptors, library SCORE),
which includes the standard schema 8.4.0. A class without a term gets none.
"""

from __future__ import annotations

from collections.abc import Sequence

from nissl.annotators.sleep.stages import stages_among
from nissl.io.names import plain_name

VERSION = "score_2.1.0"

_TAGS = {
    "spindle": "Sleep-spindles",
    "spindles": "Sleep-spindles",
    "sleep_spindle": "Sleep-spindles",
    "k_complex": "K-complex",
    "vertex_wave": "Vertex-wave",
    "sawtooth_wave": "Saw-tooth-waves",
    "arousal": "Sleep-related-arousal",
    "limb_movement": "Sleep-periodic-limb-movement",
    "periodic_limb_movement": "Sleep-periodic-limb-movement",
    "seizure": "Epileptic-seizure",
    "sz": "Unclassified-epileptic-seizure",
    "sz_foc": "Awareness-unknown-focal-onset-epileptic-seizure",
    "sz_foc_a": "Aware-focal-onset-epileptic-seizure",
    "sz_foc_ia": "Impaired-awareness-focal-onset-epileptic-seizure",
    "sz_foc_f2b": "Focal-to-bilateral-tonic-clonic-focal-onset-epileptic-seizure",
    "sz_gen": "Generalized-onset-epileptic-seizure",
    "sz_uo": "Unknown-onset-epileptic-seizure",
    "hfo": "High-frequency-oscillation",
    "spike": "Spike",
    "spike_and_wave": "Spike-and-slow-wave",
    "sharp_wave": "Sharp-wave",
    "burst_suppression": "Background-burst-suppression",
    "suppression": "Background-activity-suppression",
    "artifact": "Data-artifact",
    "blink": "Eye-blink-artifact",
    "muscle": "EMG-artifact",
    "line_noise": "Line-noise-artifact",
}

_STAGES = {
    "W": ("Awake", "Wakefulness."),
    "N1": ("Sleep-stage-N1", "NREM sleep, stage N1."),
    "N2": ("Sleep-stage-N2", "NREM sleep, stage N2."),
    "N3": ("Sleep-stage-N3", "NREM sleep, stage N3."),
    "R": ("Sleep-stage-REM", "REM sleep."),
    "unknown": ("", "Not scored, or no stage can be told."),
}


def tags_of(names: Sequence[str]) -> dict[str, str]:
    """HED tag of each class of a vocabulary that has one; "R" is REM among stages only."""
    stages = stages_among(names)
    tags = {
        name: _STAGES[stages[name]][0] if name in stages else _TAGS.get(plain_name(name), "")
        for name in names
    }
    return {name: tag for name, tag in tags.items() if tag}


def meanings_of(names: Sequence[str]) -> dict[str, str]:
    """Sentence about each class of a vocabulary; its name where nothing more is known."""
    stages = stages_among(names)
    return {name: _STAGES[stages[name]][1] if name in stages else name for name in names}
