"""The recordings of `spikes.py`: what each is made of, at which size, and for which seeds.

The still simulation takes 300 s, the tetrode 180 s, the others 120 s: hundreds of spikes of most
units, and the other sorters go through all of it in two to three hours of one core (lupin took 177
CPU seconds for 300 s of 32 channels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nissl.errors import BadArgumentError

SEEDS = (0, 1, 2)
SNR_RANGE = (4.0, 16.0)


@dataclass(frozen=True)
class Spec:
    """A recording of the benchmark.

    Parameters
    ----------
    name : str
    title : str
    make : {"simulated", "hybrid"}
    size : mapping
        Seed, channels, units, duration and the rest; JSON values.
    """

    name: str
    title: str
    make: str
    size: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the title."""
        return {"name": self.name, "make": self.make, "size": dict(self.size)}

    def at(self, seed: int) -> Spec:
        """The same kind of recording, of another seed."""
        return replace(self, size={**self.size, "seed": seed})

    @property
    def moves(self) -> bool:
        """Whether the tissue moves: sorters that can correct it are then told to."""
        return bool(self.size.get("drift"))

    @property
    def place(self) -> str:
        """Name of its folder and cells: one per seed."""
        return f"{self.name}/{self.size['seed']}"


def _simulated(
    duration_s: float, n_channels: int, n_units: int, drift: str | None
) -> dict[str, Any]:
    size = {"seed": 0, "n_channels": n_channels, "duration_s": duration_s, "n_units": n_units}
    return size | ({} if drift is None else {"drift": drift})


def _hybrid(duration_s: float, n_channels: int, n_units: int, **more: Any) -> dict[str, Any]:
    size = {"seed": 0, "duration_s": duration_s, "n_channels": n_channels, "n_units": n_units}
    return size | {"snr": list(SNR_RANGE)} | more


_TETRODE = {
    "seed": 0,
    "duration_s": 180.0,
    "n_channels": 4,
    "n_units": 6,
    "pitch_um": 25.0,
    "spatial": "measured",
}
_BURSTS = {"bursting": True, "burst_loss": 0.3, "shared": 0.04}
_PAIRS = {"overlaps": 0.3, "burst_loss": 0.2}
_SLOW = {"drift": "rigid", "drift_um": 30.0}
_JUMPS = {"drift": "jumps", "drift_um": 100.0}

SPECS = (
    Spec("static", "Simulated, still", "simulated", _simulated(300.0, 32, 24, None)),
    Spec("rigid32", "Simulated, rigid drift", "simulated", _simulated(120.0, 32, 24, "rigid")),
    Spec(
        "nonrigid32",
        "Simulated, non-rigid drift",
        "simulated",
        _simulated(120.0, 32, 24, "nonrigid"),
    ),
    Spec(
        "jumps32",
        "Simulated, jumps of 50-100 um",
        "simulated",
        _simulated(120.0, 32, 24, "jumps"),
    ),
    Spec("rigid64", "Simulated, rigid drift", "simulated", _simulated(120.0, 64, 40, "rigid")),
    Spec(
        "nonrigid64",
        "Simulated, non-rigid drift",
        "simulated",
        _simulated(120.0, 64, 40, "nonrigid"),
    ),
    Spec("tetrode", "Hybrid tetrode", "hybrid", _TETRODE),
    Spec("hybrid32", "Hybrid", "hybrid", _hybrid(120.0, 32, 16)),
    Spec("hybrid128", "Semi-synthetic", "hybrid", _hybrid(120.0, 128, 36)),
    Spec("bursts32", "Hybrid, bursts and overlaps", "hybrid", _hybrid(120.0, 32, 12, **_BURSTS)),
    Spec("hybrid32-pairs", "Hybrid, pairs", "hybrid", _hybrid(120.0, 32, 12, **_PAIRS)),
    Spec("hybrid32-slow", "Hybrid, slow drift", "hybrid", _hybrid(120.0, 32, 16, **_SLOW)),
    # units stay beside the probe wherever they move to: fewer of them, not denser ones
    Spec(
        "hybrid32-jumps",
        "Hybrid, jumps of 50-100 um",
        "hybrid",
        _hybrid(120.0, 32, 10, **_JUMPS),
    ),
)
DEFAULT = tuple(spec.name for spec in SPECS)

TIMED = ("static",)
SCALE = tuple(
    Spec(
        f"scale-{n_channels}x{duration_s}",
        "Cost",
        "simulated",
        _simulated(float(duration_s), n_channels, n_channels * 3 // 4, None),
    )
    for n_channels, duration_s in (
        *((32, s) for s in (60, 120, 240, 480)),
        *((c, 60) for c in (64, 128, 256, 384)),
    )
)
"""Cost over duration and over channels, three units to four channels."""

LONG = Spec("long384", "Simulated, still", "simulated", _simulated(600.0, 384, 256, None))

QUICK = ("static",)
_QUICK_SIZE = {"duration_s": 30.0, "n_channels": 12, "n_units": 6}


def smaller(spec: Spec) -> Spec:
    """A recording's size in a quick run: only to see that the benchmark works."""
    size = dict(spec.size) | {"duration_s": min(spec.size["duration_s"], 30.0)}
    if spec.size["n_channels"] > _QUICK_SIZE["n_channels"]:
        size |= _QUICK_SIZE
    return replace(spec, size=size)


def chosen_specs(asked: Sequence[str] | None, quick: bool) -> list[Spec]:
    """Recordings asked for, in the small sizes of a quick run if so.

    Raises
    ------
    BadArgumentError
        A name that no recording has.
    """
    wanted = (QUICK if quick else DEFAULT) if asked is None else asked
    known = {spec.name: spec for spec in SPECS}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise BadArgumentError(
            f"recordings among {sorted(known)}", f"{unknown}", "Correct --recordings."
        )
    specs = [known[name] for name in wanted]
    return [smaller(spec) for spec in specs] if quick else specs
