"""What `rates/nissl` knows: networks for some frame rates, with their intervals.

A recording is put on the frames of the fastest network that its own rate comes near, and its
rates are put back on its own frames. Files are plain numbers: `weights.bin` (IEEE half precision,
little-endian, one array after the other) and `card.json`, which says what they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files as package_files
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.descriptors import described
from nissl.annotators.rates.network import Array, Shape, Weights, prepared
from nissl.annotators.rates.spread import Spread
from nissl.errors import BadArgumentError, CorruptSourceError, MissingInputError
from nissl.trust.novelty import Novelty

Values = npt.NDArray[np.float64]

BINARY, CARD = "weights.bin", "card.json"
NEAR = 0.85
"""A network serves recordings whose rate is at least this part of its own."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks for one frame rate.

    Parameters
    ----------
    rate_hz : float
        Frames per second that they were trained at.
    sigma_s : float
        Of the Gaussian that smoothed the truth, hence the resolution of what they say.
    members : tuple of Weights
        Their mean is the answer.
    spread : Spread, optional
        Scale and interval for any cell; None where nothing was left out to learn it from.
    by_type : mapping of str to Spread
        The same for cells of a known type.
    seen : Novelty, optional
        What training traces were like, as `descriptors` says.
    """

    rate_hz: float
    sigma_s: float
    members: tuple[Weights, ...]
    spread: Spread | None = None
    seen: Novelty | None = None
    by_type: Mapping[str, Spread] = field(default_factory=dict)

    def __call__(self, dff: npt.NDArray[Any]) -> Values:
        """Spikes per second of a trace at `rate_hz`, (n_frames,), never negative."""
        return self.of_inputs(prepared(dff, self.rate_hz))

    def of_inputs(self, inputs: Array) -> Values:
        """The same of a trace as networks see it, (n_inputs, n_frames)."""
        said = np.mean([member(inputs) for member in self.members], axis=0, dtype=np.float64)
        return np.maximum(said, 0.0)

    def absolute(self, rate: Values, cell_type: str = "") -> tuple[Values, Values, Values]:
        """A rate on the scale of a type of cells, and the ends of its interval.

        Parameters
        ----------
        rate : ndarray, any shape, spikes/s
            As `__call__` gives it.
        cell_type : str
            One of `by_type`; "" where it is not known.

        Returns
        -------
        tuple of ndarray, same shape, spikes/s
            Rate, low and high end; the ends are NaN without a spread.
        """
        if cell_type and cell_type not in self.by_type:
            raise BadArgumentError(
                f"a type of cells among {sorted(self.by_type)}, or null",
                repr(cell_type),
                "Check --set cell_type=...",
            )
        spread = self.by_type[cell_type] if cell_type else self.spread
        if spread is None:
            return rate, np.full(rate.shape, np.nan), np.full(rate.shape, np.nan)
        scaled = spread.scale * rate
        return scaled, *spread(scaled)

    def novel(self, dff: npt.NDArray[Any]) -> str:
        """Why a trace is unlike the training sets; empty where it is not."""
        if self.seen is None:
            return ""
        found = self.seen.items(described(dff, self.rate_hz)[None])
        return found.reasons[0] if bool(found.novel()[0]) else ""


@dataclass(frozen=True, eq=False)
class RateModel:
    """Ensembles by rate.

    Parameters
    ----------
    ensembles : tuple of Ensemble
        By rising rate.
    about : mapping
        JSON values for people: what it was trained on, scores, licence.
    """

    ensembles: tuple[Ensemble, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.ensembles:
            raise MissingInputError("networks for one rate or more", "none", "Train one.")
        ordered = sorted(self.ensembles, key=lambda each: each.rate_hz)
        object.__setattr__(self, "ensembles", tuple(ordered))

    def nearest(self, rate_hz: float) -> Ensemble:
        """The fastest that a recording's rate comes near, else the slowest."""
        fit = [each for each in self.ensembles if rate_hz >= NEAR * each.rate_hz]
        return fit[-1] if fit else self.ensembles[0]

    def files(self) -> Mapping[str, bytes]:
        """Everything as plain numbers."""
        parts: list[bytes] = []
        facts = []
        for each in self.ensembles:
            members = [_facts(member, parts) for member in each.members]
            facts.append(
                {
                    "rate_hz": each.rate_hz,
                    "sigma_s": each.sigma_s,
                    "members": members,
                    "spread": None if each.spread is None else each.spread.to_json(),
                    "by_type": {name: own.to_json() for name, own in each.by_type.items()},
                    "seen": None if each.seen is None else each.seen.to_json(),
                }
            )
        card = {"format": 1, "kind": "rates", "about": dict(self.about), "ensembles": facts}
        text = json.dumps(card, sort_keys=True, separators=(",", ":"))
        return {BINARY: b"".join(parts), CARD: text.encode()}

    @classmethod
    def restored(cls, files: Mapping[str, bytes]) -> RateModel:
        """Inverse of `files`; `CorruptSourceError` where they are not such files."""
        try:
            card = json.loads(files[CARD])
            given = np.frombuffer(files[BINARY], "<f2").astype(np.float32)
            place = 0
            ensembles = []
            for each in card["ensembles"]:
                members = []
                for facts in each["members"]:
                    member, place = _member(facts, given, place)
                    members.append(member)
                spread, seen = each["spread"], each["seen"]
                ensembles.append(
                    Ensemble(
                        float(each["rate_hz"]),
                        float(each["sigma_s"]),
                        tuple(members),
                        None if spread is None else Spread.from_json(spread),
                        None if seen is None else Novelty.from_json(seen),
                        {name: Spread.from_json(own) for name, own in each["by_type"].items()},
                    )
                )
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptSourceError(
                f"{BINARY} and {CARD} of a model of rates",
                f"{type(error).__name__}: {error}"[:200],
                "Name another model, or train it again.",
            ) from None
        return cls(tuple(ensembles), card["about"])

    @property
    def digest(self) -> str:
        """SHA-256 of the files."""
        each = self.files()
        return hashlib.sha256(b"".join(each[name] for name in (BINARY, CARD))).hexdigest()


def _facts(member: Weights, parts: list[bytes]) -> dict[str, Any]:
    """Names and shapes of a member's arrays; their numbers are added to `parts`."""
    shapes = []
    for name in sorted(member.arrays):
        array = member.arrays[name]
        parts.append(array.astype("<f2").tobytes())
        shapes.append([name, list(array.shape)])
    return {"shape": asdict(member.shape), "arrays": shapes}


def _member(
    facts: Mapping[str, Any], given: npt.NDArray[np.float32], place: int
) -> tuple[Weights, int]:
    shape = dict(facts["shape"])
    shape["dilations"] = tuple(shape["dilations"])
    arrays = {}
    for name, size in facts["arrays"]:
        n = int(np.prod(size, dtype=np.int64))
        arrays[str(name)] = given[place : place + n].reshape(size)
        place += n
    return Weights(Shape(**shape), arrays), place


@cache
def shipped() -> RateModel:
    """Model that the package brings, trained on simulated traces."""
    folder = package_files("nissl.annotators.rates") / "weights"
    return RateModel.restored({name: (folder / name).read_bytes() for name in (BINARY, CARD)})


def seen_of(
    traces: Sequence[npt.NDArray[Any]],
    groups: Sequence[str],
    rate_hz: float,
    rng: np.random.Generator,
) -> Novelty:
    """What traces at a rate are like, for `Ensemble.seen`; `groups` are left out in turn."""
    from nissl.annotators.rates.descriptors import NAMES
    from nissl.trust.novelty import fit_novelty

    features = np.stack([described(trace, rate_hz) for trace in traces])
    return fit_novelty(features, groups, names=NAMES, rng=rng, kind="mahalanobis")


__all__ = ["BINARY", "CARD", "Ensemble", "RateModel", "seen_of", "shipped"]
