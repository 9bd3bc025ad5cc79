"""`rates/nissl`, `rates/oasis` and `rates/derivative`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from nissl.annotators.rates.discrete import discrete
from nissl.annotators.rates.model import RateModel, shipped
from nissl.annotators.rates.resampling import at_rate, back
from nissl.annotators.rates.traces import Inferred, Values, annotated
from nissl.errors import BadArgumentError
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Promises, Result

WHOLE = Promises(chunked=False, deterministic=True, memory="measured")
SLOW = "slower_than_trained"


@dataclass(frozen=True)
class RateNetwork:
    """Spikes per second by a small network, with an interval and single spikes.

    Parameters
    ----------
    model : RateModel, optional
        None stands for the shipped one, trained on simulated traces, read at first use. One
        trained on paired recordings comes from `nissl.annotators.rates.training`.
    """

    model: RateModel | None = field(default=None, repr=False)
    name: str = "rates/nissl"
    version: str = "1"
    promises: Promises = WHOLE

    @property
    def known(self) -> RateModel:
        """Its model."""
        return shipped() if self.model is None else self.model

    @property
    def weights(self) -> str:
        """Digest of the model."""
        return self.known.digest

    def missing(self) -> Mapping[str, str]:
        """Nothing beside the core is needed."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("numpy", "scipy")}

    def defaults(self) -> Mapping[str, Any]:
        """`spikes`: whether single spikes are told; `cell_type`: one of the model, or null."""
        return {"spikes": True, "cell_type": None}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Infer rates of every trace; see `nissl.annotators.rates.traces.annotated`."""
        model, told = self.known, bool(parameters["spikes"])
        cell_type = str(parameters["cell_type"] or "")

        def infer(dff: Values, rate_hz: float) -> Inferred:
            return inferred(model, dff, rate_hz, spikes=told, cell_type=cell_type)

        result = annotated(
            self, infer, inputs, parameters, context,
            unit="spikes/s", intervals=True, weights=model.digest,
        )  # fmt: skip
        slow = _slow(model, inputs.signal.rate_hz)
        about = {"trained_on": str(model.about.get("trained_on", ""))}
        return Result(
            result.labels,
            sources=result.sources,
            log={**result.log, **about},
            findings=(*slow, *result.findings),
        )


def inferred(
    model: RateModel, dff: Values, rate_hz: float, *, spikes: bool = True, cell_type: str = ""
) -> Inferred:
    """What a model says of one trace.

    Parameters
    ----------
    model : RateModel
    dff : ndarray, shape (n_frames,), float64
        dF/F, 1 = 100 %; finite.
    rate_hz : float
        Frames per second.
    spikes : bool
        Whether single spikes are looked for.
    cell_type : str
        Sets scale and interval; "" where it is not known.
    """
    known = model.nearest(rate_hz)
    trace = at_rate(dff, rate_hz, known.rate_hz).astype(np.float32)
    (rate, low, high), doubt = known.absolute(known(trace), cell_type), known.novel(trace)
    if doubt:
        low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
    own = [back(each, known.rate_hz, rate_hz, dff.size) for each in (rate, low, high)]
    if not spikes:
        return Inferred(own[0], own[1], own[2], doubt=doubt)
    frames, sizes = discrete(rate, low, known.rate_hz, known.sigma_s)
    at = np.minimum(((frames + 0.5) * rate_hz / known.rate_hz).astype(np.int64), dff.size - 1)
    return Inferred(own[0], own[1], own[2], at, sizes, doubt)


def _slow(model: RateModel, rate_hz: float) -> tuple[Finding, ...]:
    slowest = model.ensembles[0].rate_hz
    if rate_hz >= 0.85 * slowest:
        return ()
    sentence = (
        f"The recording has {rate_hz:.3g} frames a second, and the slowest network was trained at "
        f"{slowest:g}: frames were interpolated, and the intervals do not account for that."
    )
    return (Finding(SLOW, "warning", sentence, value=rate_hz, limit=slowest, unit="Hz"),)


@dataclass(frozen=True)
class Classical:
    """A method without weights, whose rates are in dF/F per second.

    Parameters
    ----------
    name : str
    infer : callable
        ``(dff, rate_hz, parameters) -> rate``.
    parameters : mapping
        Defaults, JSON values.
    requires : tuple of str
        Packages beside the core's.
    """

    name: str
    infer: Callable[[Values, float, Mapping[str, Any]], Values]
    parameters: Mapping[str, Any]
    requires: tuple[str, ...] = ()
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        install = "pip install 'nissl[imaging]'"
        return {name: install for name in self.requires if find_spec(name) is None}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        names = ("numpy", "scipy", *self.requires)
        return {name: version(name) for name in names if find_spec(name) is not None}

    def defaults(self) -> Mapping[str, Any]:
        """Parameters, and `amplitude`: dF/F of one spike, with which rates are in spikes/s."""
        return {**self.parameters, "amplitude": None}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Infer rates of every trace, and no single spikes."""
        one = _positive(parameters["amplitude"], "amplitude")

        def infer(dff: Values, rate_hz: float) -> Inferred:
            return Inferred(self.infer(dff, rate_hz, parameters) / (one or 1.0))

        unit = "dF/F/s" if one is None else "spikes/s"
        return annotated(self, infer, inputs, parameters, context, unit=unit, intervals=False)


def _deconvolved(dff: Values, rate_hz: float, parameters: Mapping[str, Any]) -> Values:
    from nissl.annotators.rates.deconvolution import deconvolve

    decay = _positive(parameters["decay_s"], "decay_s")
    return np.asarray(deconvolve(dff, rate_hz, decay_s=decay).spikes * rate_hz)


def _derived(dff: Values, rate_hz: float, parameters: Mapping[str, Any]) -> Values:
    from nissl.annotators.rates.deconvolution import derivative

    smooth = _positive(parameters["smooth_s"], "smooth_s")
    return np.asarray(derivative(dff, rate_hz, smooth_s=0.0 if smooth is None else smooth))


def _positive(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        raise BadArgumentError(f"a {name} above 0, or null", repr(value), f"--set {name}=0.5")
    return float(value)


NISSL = RateNetwork()
OASIS = Classical("rates/oasis", _deconvolved, {"decay_s": None}, ("numba",))
DERIVATIVE = Classical("rates/derivative", _derived, {"smooth_s": 0.1})

__all__ = ["DERIVATIVE", "NISSL", "OASIS", "Classical", "RateNetwork", "inferred"]
