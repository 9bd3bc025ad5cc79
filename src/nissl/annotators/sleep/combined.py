"""`sleep/combined`: two stagers, and where they disagree.

The probabilities of `sleep/nissl` and of YASA are pooled by their geometric mean (a logarithmic
opinion pool; Genest and Zidek 1986, Stat. Sci. 1). Epochs on which they name different stages are
findings: they are where a person's look is worth most. The pool is not calibrated, and claims no
confidence.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nissl.annotators.sleep.learner import LEARNER, WHOLE, unscored
from nissl.annotators.sleep.numbers import item_table
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.annotators.sleep.yasa import EPOCH_S, YASA, chosen, probabilities, proposed
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

DISAGREE = "stagers_disagree"


@dataclass(frozen=True)
class CombinedStager:
    """Both stagers on 30-s epochs."""

    name: str = "sleep/combined"
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return {**LEARNER.missing(), **YASA.missing()}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {**LEARNER.packages(), **YASA.packages()}

    def defaults(self) -> Mapping[str, Any]:
        """As `sleep/yasa`, and `channels` as `sleep/nissl`."""
        return {**YASA.defaults(), "channels": []}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a stage for every epoch, and say where the two disagree."""
        begun = time.perf_counter()
        with measure_peak() as peak:
            epochs = unscored(inputs, EPOCH_S)
            given = tuple(str(name) for name in parameters["channels"])
            facts = item_table(epochs, inputs.signal, chosen=given, progress=context.progress)
            ours = LEARNER.predict(LEARNER.featurise(epochs, facts)).probabilities
            names = chosen(inputs.signal, parameters)
            theirs = probabilities(inputs.signal, epochs, names, parameters, context)
        mute = (ours[:, -1] > 0) | np.isnan(theirs).any(axis=1)
        both = np.sqrt(np.clip(ours[:, :-1], 1e-6, 1) * np.clip(np.nan_to_num(theirs), 1e-6, 1))
        both /= both.sum(axis=1, keepdims=True)
        both[mute] = np.nan
        labels = proposed(epochs, both, self.name, self.version, dict(self.packages()))
        made = replace(labels.provenance, seed=context.seed, parameters=dict(parameters))
        labels = replace(labels, provenance=made)
        apart = ~mute & (ours[:, :-1].argmax(axis=1) != np.nan_to_num(theirs).argmax(axis=1))
        findings = [
            Finding(
                DISAGREE,
                "note",
                f"sleep/nissl says {HUMAN.names[a]}, YASA {HUMAN.names[b]}.",
                item=int(epochs.column("item")[row]),
            )
            for row, a, b in zip(
                np.flatnonzero(apart).tolist(),
                ours[apart, :-1].argmax(axis=1).tolist(),
                theirs[apart].argmax(axis=1).tolist(),
                strict=True,
            )
        ]
        share = float(apart.sum() / max(int((~mute).sum()), 1))
        log = {
            "wall_s": time.perf_counter() - begun,
            "peak_memory_bytes": peak.bytes,
            "channels": names,
            "derivations": facts.context["derivations"],
            "disagreement": share,
        }
        return Result(
            (labels,),
            items=(replace(facts, of=labels.digest),),
            log=log,
            findings=tuple(findings),
        )


COMBINED = CombinedStager()

__all__ = ["COMBINED", "CombinedStager"]
