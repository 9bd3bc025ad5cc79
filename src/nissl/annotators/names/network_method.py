"""`names/nissl`: names by an atlas that a network corrects, trained on worms drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nissl.annotators.names.animals import Animals
from nissl.annotators.names.confidence import Namer
from nissl.annotators.names.learning import STEPS, learned
from nissl.annotators.names.method import ByAtlas
from nissl.errors import BadArgumentError
from nissl.nets import backend
from nissl.run.installed import installed


@dataclass(frozen=True)
class ByNetwork(ByAtlas):
    """The method; everything but the namer is that of `names/atlas`."""

    name: str = "names/nissl"
    folds: int = 3

    def missing(self) -> Mapping[str, str]:
        """PyTorch, where it is not installed."""
        return backend.missing("torch")

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: installed(name) for name in ("numpy", "scipy", "torch")}

    def defaults(self) -> Mapping[str, Any]:
        """Those of `names/atlas`, and `steps`, batches of drawn worms to train on."""
        return {**super().defaults(), "steps": STEPS}

    def checked(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters that a namer is made with."""
        steps = parameters["steps"]
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise BadArgumentError(
                "a whole number of steps, 1 or more", repr(steps), f"For example {STEPS}."
            )
        return {**super().checked(parameters), "steps": steps}

    def learned(
        self, animals: Animals, settings: Mapping[str, Any], rng: np.random.Generator
    ) -> Namer:
        """Make a namer of some animals: the network is trained here."""
        made = learned(animals, rng, steps=settings["steps"])
        return replace(made, strange=settings["strange"], mirrored=settings["mirrored"])


NISSL = ByNetwork()
