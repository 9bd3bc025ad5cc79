"""ClockMap: seconds of one device to seconds of another, piecewise linear through pulses.

Between two matched pulses time is linear; a map through two pulses is affine. Before the
first and after the last pulse the map goes on with the slope of the outermost `edge_s`
seconds of pulses, so that the jitter of the last pulse alone does not steer it.

A map passes through its pulses, so its residuals at them are zero by construction. What can
be measured is told by `ClockMap.residuals`: how far each pulse lies from the map drawn
without it (leave one pulse out), and from one straight line through all (the drift that an
affine map would have missed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadMetadataError

EDGE_S = 60.0

Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Absolute deviations in three numbers.

    Parameters
    ----------
    median_s, p99_s, max_s : float
        Median, 99th percentile and maximum, seconds; NaN where there is nothing to measure.
    """

    median_s: float
    p99_s: float
    max_s: float

    @classmethod
    def of(cls, deviations_s: Times) -> Spread:
        """Spread of deviations, shape (n,), seconds, of either sign."""
        size = np.abs(deviations_s)
        if size.size == 0:
            return cls(np.nan, np.nan, np.nan)
        return cls(float(np.median(size)), float(np.percentile(size, 99)), float(size.max()))


@dataclass(frozen=True)
class Residuals:
    """How well a clock map can be trusted.

    Parameters
    ----------
    n_pulses : int
        Pulses the map passes through.
    left_out : Spread
        Distance of each pulse from the map drawn without it; NaN below three pulses.
    affine : Spread
        Distance of the pulses from the straight line that fits them all best.
    drift_ppm : float
        Slope of that line minus one, in parts per million.
    longest_gap_s : float
        Longest time between two neighbouring pulses, seconds of device a.
    """

    n_pulses: int
    left_out: Spread
    affine: Spread
    drift_ppm: float
    longest_gap_s: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; None where a number could not be measured."""
        return {
            "n_pulses": self.n_pulses,
            "left_out": _plain(vars(self.left_out)),
            "affine": _plain(vars(self.affine)),
            **_plain({"drift_ppm": self.drift_ppm, "longest_gap_s": self.longest_gap_s}),
        }


@dataclass(frozen=True)
class Verdict:
    """Whether a clock map is good enough for a purpose.

    Parameters
    ----------
    outcome : {"within", "above", "unchecked"}
        "unchecked" where fewer than three pulses leave nothing to measure with.
    value_s : float
        Largest leave-one-out residual, seconds; NaN when unchecked.
    limit_s : float
        Where doubt begins, seconds.
    """

    outcome: str
    value_s: float
    limit_s: float

    @property
    def ok(self) -> bool:
        """Whether the map was measured and lies within the limit."""
        return self.outcome == "within"


@dataclass(frozen=True, eq=False)
class ClockMap:
    """Strictly increasing map from the seconds of device a to the seconds of device b.

    Build one with `through` (matched pulses), `offset` (equal rates, said explicitly) or
    `identity`.

    Parameters
    ----------
    knots_a_s, knots_b_s : ndarray, shape (n_knots,), float64, seconds
        The same moments on both clocks; both strictly increasing.
    slope_before, slope_after : float
        Seconds of b per second of a outside the knots.
    a, b : str
        Names of the devices.
    """

    knots_a_s: Times
    knots_b_s: Times
    slope_before: float = 1.0
    slope_after: float = 1.0
    a: str = "a"
    b: str = "b"

    def __post_init__(self) -> None:
        for name in ("knots_a_s", "knots_b_s"):
            values = np.array(getattr(self, name), dtype=np.float64)
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        faults = _faults(self.knots_a_s, self.knots_b_s)
        slopes = (self.slope_before, self.slope_after)
        if not all(np.isfinite(s) and s > 0 for s in slopes):
            faults.append(f"slopes {slopes[0]:g} and {slopes[1]:g}")
        if faults:
            raise BadMetadataError(
                "matched times that are finite and strictly increasing on both clocks",
                "; ".join(faults),
                "Check the pulses; nissl does not reorder them.",
            )

    @classmethod
    def through(
        cls,
        a_s: npt.ArrayLike,
        b_s: npt.ArrayLike,
        *,
        edge_s: float = EDGE_S,
        a: str = "a",
        b: str = "b",
    ) -> ClockMap:
        """Map through all matched pulses.

        Parameters
        ----------
        a_s, b_s : array-like, shape (n,), n >= 2, seconds
            The same pulses on both clocks.
        edge_s : float
            Stretch of pulses at either end that sets the slope beyond it, seconds of a.
        a, b : str
            Names of the devices.

        Raises
        ------
        BadMetadataError
            Fewer than two pulses, or times that do not increase.
        """
        x, y = (np.asarray(t, dtype=np.float64) for t in (a_s, b_s))
        if x.size < 2:
            raise BadMetadataError(
                "at least two matched pulses",
                f"{x.size}",
                "With one pulse only ClockMap.offset applies, which claims equal rates.",
            )
        faults = _faults(x, y)
        if faults:
            return cls(x, y, a=a, b=b)  # raises, with the faults listed
        return cls(x, y, *_end_slopes(x, y, edge_s), a=a, b=b)

    @classmethod
    def offset(cls, a_s: float, b_s: float, *, a: str = "a", b: str = "b") -> ClockMap:
        """Map of two clocks that are claimed to run at one rate, through one moment on both."""
        return cls(np.asarray([a_s]), np.asarray([b_s]), a=a, b=b)

    @classmethod
    def identity(cls, a: str = "a", b: str = "b") -> ClockMap:
        """Map of two names of one clock."""
        return cls.offset(0.0, 0.0, a=a, b=b)

    def __call__(self, seconds: npt.ArrayLike) -> Times:
        """Seconds of b at seconds of a, any shape."""
        return _piecewise(
            seconds, self.knots_a_s, self.knots_b_s, self.slope_before, self.slope_after
        )

    def inverse(self) -> ClockMap:
        """Return the map from b to a."""
        return ClockMap(
            self.knots_b_s,
            self.knots_a_s,
            1 / self.slope_before,
            1 / self.slope_after,
            self.b,
            self.a,
        )

    def then(self, other: ClockMap) -> ClockMap:
        """Return the map from a to the device that `other` leads to: first this, then that.

        The knots are those of both, so nothing is lost.
        """
        knots = np.union1d(self.knots_a_s, self.inverse()(other.knots_a_s))
        through = other(self(knots))
        # a knot of one map that rounding sets a hair from a knot of the other is the same knot
        apart = np.ones(knots.size, dtype=bool)
        close = 1e-9 + 4e-16 * np.abs(knots[1:])
        apart[1:] = (np.diff(knots) > close) & (np.diff(through) > close)
        return ClockMap(
            knots[apart],
            through[apart],
            self.slope_before * other.slope_before,
            self.slope_after * other.slope_after,
            self.a,
            other.b,
        )

    def residuals(self, *, edge_s: float = EDGE_S) -> Residuals:
        """Residuals of the pulses (see the top of this module).

        Parameters
        ----------
        edge_s : float
            As in `through`, for the first and last pulse.
        """
        x, y = self.knots_a_s, self.knots_b_s
        line, drift = _line(x, y)
        return Residuals(
            n_pulses=x.size,
            left_out=Spread.of(_left_out(x, y, edge_s)),
            affine=Spread.of(y - line) if x.size > 2 else Spread.of(x[:0]),
            drift_ppm=drift * 1e6,
            longest_gap_s=float(np.diff(x).max()) if x.size > 1 else np.nan,
        )

    def verdict(self, limit_s: float) -> Verdict:
        """Compare the largest leave-one-out residual with a limit.

        Parameters
        ----------
        limit_s : float
            Seconds: 0.5e-3 for ephys, half a frame for imaging and video.
        """
        value = self.residuals().left_out.max_s
        if np.isnan(value):
            return Verdict("unchecked", value, limit_s)
        return Verdict("within" if value <= limit_s else "above", value, limit_s)

    def to_json(self) -> dict[str, Any]:
        """Plain values; floats are kept exactly."""
        return {
            "format": 1,
            "a": self.a,
            "b": self.b,
            "knots_a_s": self.knots_a_s.tolist(),
            "knots_b_s": self.knots_b_s.tolist(),
            "slope_before": self.slope_before,
            "slope_after": self.slope_after,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ClockMap:
        """Inverse of `to_json`; anything malformed raises `BadMetadataError`."""
        try:
            if value["format"] != 1:
                raise ValueError(f"format {value['format']!r}")
            fields = [value[k] for k in ("knots_a_s", "knots_b_s", "slope_before", "slope_after")]
            arrays = [np.asarray(f, dtype=np.float64) for f in fields]
            names = str(value["a"]), str(value["b"])
            slopes = float(arrays[2]), float(arrays[3])
        except (KeyError, TypeError, ValueError) as error:
            raise BadMetadataError(
                "a clock map written by ClockMap.to_json, format 1",
                f"{type(error).__name__}: {error}",
                "Make the map again from the pulses.",
            ) from None
        return cls(arrays[0], arrays[1], *slopes, *names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClockMap) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.a, self.b, self.knots_a_s.tobytes(), self.knots_b_s.tobytes()))

    def __repr__(self) -> str:
        x = self.knots_a_s
        drift_ppm = _line(x, self.knots_b_s)[1] * 1e6
        return (
            f"ClockMap({self.a} -> {self.b}: {x.size} pulses, {x[0]:.3f} to {x[-1]:.3f} s "
            f"of {self.a}, drift {drift_ppm:+.2f} ppm)"
        )


def _faults(x: Times, y: Times) -> list[str]:
    if x.ndim != 1 or x.shape != y.shape or x.size == 0:
        return [f"shapes {x.shape} and {y.shape}"]
    faults = []
    for name, values in (("a", x), ("b", y)):
        bad = np.flatnonzero(~np.isfinite(values))
        falls = np.flatnonzero(~(np.diff(values) > 0)) + 1
        if bad.size:
            faults.append(f"{bad.size} times of {name} not finite, the first at index {bad[0]}")
        elif falls.size:
            faults.append(
                f"{falls.size} times of {name} not after the one before, the first at index "
                f"{falls[0]}"
            )
    return faults


def _end_slopes(x: Times, y: Times, edge_s: float) -> tuple[float, float]:
    first = min(int(np.searchsorted(x, x[0] + edge_s)), x.size - 1)
    last = max(int(np.searchsorted(x, x[-1] - edge_s, side="right")) - 1, 0)
    before = (y[first] - y[0]) / (x[first] - x[0])
    after = (y[-1] - y[last]) / (x[-1] - x[last])
    return float(before), float(after)


def _piecewise(seconds: npt.ArrayLike, x: Times, y: Times, before: float, after: float) -> Times:
    t = np.asarray(seconds, dtype=np.float64)
    slopes = np.concatenate([[before], np.diff(y) / np.diff(x), [after]])
    piece = np.searchsorted(x, t, side="right")
    anchor = np.maximum(piece - 1, 0)
    return np.asarray(y[anchor] + (t - x[anchor]) * slopes[piece])


def _line(x: Times, y: Times) -> tuple[Times, float]:
    """Least-squares line through the knots, and its slope minus one."""
    u, v = x - x.mean(), (y - y.mean()) - (x - x.mean())
    excess = float(u @ v / (u @ u)) if x.size > 1 else 0.0
    return y.mean() + u + excess * u, excess


def _left_out(x: Times, y: Times, edge_s: float) -> Times:
    """Signed distance of each pulse from the map drawn without it, shape (n,)."""
    if x.size < 3:
        return x[:0]
    inner = y[:-2] + (x[1:-1] - x[:-2]) * (y[2:] - y[:-2]) / (x[2:] - x[:-2])
    before = _end_slopes(x[1:], y[1:], edge_s)[0]
    after = _end_slopes(x[:-1], y[:-1], edge_s)[1]
    guess = np.concatenate(
        [[y[1] + (x[0] - x[1]) * before], inner, [y[-2] + (x[-1] - x[-2]) * after]]
    )
    return np.asarray(y - guess)


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {k: None if np.isnan(v) else v for k, v in values.items()}
