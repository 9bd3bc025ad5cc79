"""Nouns of the coupling loop: what it is asked for, where it stands, and a round of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from nissl.align.coupling.actions import Pair
from nissl.align.coupling.scores import How
from nissl.align.fragments import Ints
from nissl.errors import BadArgumentError


@dataclass(frozen=True)
class Options:
    """What the loop is asked for.

    Parameters
    ----------
    step : int
        Windows used at a time.
    budget : int, optional
        Windows used at most, the first ones not counted.
    enough : float
        Part of what all windows are expected to reach, 0 to 1; 1 uses all of them.
    pick : {"gain", "random"}
        Random windows are for comparison.
    seed : int
    """

    step: int = 4
    budget: int | None = None
    enough: float = 0.95
    pick: str = "gain"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.step < 1 or (self.budget or 0) < 0 or not 0 < self.enough <= 1:
            raise BadArgumentError(
                "a step of one window or more, a budget not below 0, enough above 0 up to 1",
                f"{self.step}, {self.budget} and {self.enough}",
                "Change them: --step 4 --budget 40 --enough 0.95",
            )


@dataclass(frozen=True)
class State:
    """Where the loop stands; plain values.

    Parameters
    ----------
    used : tuple of tuple of int
        Windows of each source in use.
    how : mapping of pair to How
        Of all pairs.
    apart : mapping of pair to str
        Pairs that do not match, and why.
    tried, tested : mapping of pair to int
        Windows of the pair when its settings were last tried, and when it was tested for a match.
    looked : int
        Settings looked at so far.
    """

    used: tuple[tuple[int, ...], ...]
    how: Mapping[Pair, How]
    apart: Mapping[Pair, str] = field(default_factory=dict)
    tried: Mapping[Pair, int] = field(default_factory=dict)
    tested: Mapping[Pair, int] = field(default_factory=dict)
    looked: int = 0

    @property
    def windows(self) -> list[Ints]:
        """Windows in use, one array per source."""
        return [np.array(u, np.int64) for u in self.used]

    @property
    def live(self) -> dict[Pair, How]:
        """Pairs that are still compared."""
        return {p: h for p, h in self.how.items() if p not in self.apart}

    def n_windows(self, pair: Pair) -> int:
        """Windows in use of both sources."""
        return sum(len(self.used[s]) for s in pair)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        out: dict[str, Any] = {"used": [list(u) for u in self.used], "looked": self.looked}
        out["how"] = {_name(p): asdict(h) for p, h in self.how.items()}
        for key in ("apart", "tried", "tested"):
            out[key] = {_name(p): v for p, v in getattr(self, key).items()}
        return out

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> State:
        """Inverse of `to_json`."""
        maps = {
            key: {_pair(p): v for p, v in held[key].items()} for key in ("apart", "tried", "tested")
        }
        return cls(
            tuple(tuple(u) for u in held["used"]),
            {_pair(p): How(**h) for p, h in held["how"].items()},
            **maps,
            looked=int(held["looked"]),
        )


@dataclass(frozen=True)
class Round:
    """One round.

    Parameters
    ----------
    number : int
        0 is the beginning: nothing was done yet.
    kind : {"start", "settings", "windows", "apart", "stop"}
    says : str
        What was done, or why the loop stopped.
    pair : tuple of int, optional
        The pair that it was done to.
    reason : str
        Largest reason of the loss of the worst pair.
    expected, error : float
        Gain of the mean skill expected before, and its standard error; 0 where nothing is.
    gain : float
        What came, on the choose part. NaN where pairs were set apart, for the mean is of others.
    skill : float
        Mean skill of the pairs still compared, after it.
    n_windows : int
        In use after it.
    state : State
        After it.
    """

    number: int
    kind: str
    says: str
    pair: Pair | None
    reason: str
    expected: float
    error: float
    gain: float
    skill: float
    n_windows: int
    state: State

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        out = {k: getattr(self, k) for k in self.__dataclass_fields__}
        out["gain"] = None if np.isnan(self.gain) else self.gain
        out["pair"] = None if self.pair is None else list(self.pair)
        return out | {"state": self.state.to_json()}

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Round:
        """Inverse of `to_json`."""
        pair = held["pair"]
        return cls(**dict(held) | {
            "pair": None if pair is None else (pair[0], pair[1]),
            "gain": float("nan") if held["gain"] is None else held["gain"],
            "state": State.from_json(held["state"]),
        })  # fmt: skip


def _name(pair: Pair) -> str:
    return f"{pair[0]}-{pair[1]}"


def _pair(name: str) -> Pair:
    i, j = name.split("-")
    return int(i), int(j)
