"""`spikes/nissl`: our own sorter as a method of the task "spikes"."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.annotators.spikes.adapter import Shank, installed, shanks_of
from nissl.annotators.spikes.detecting import require_spikes
from nissl.annotators.spikes.own.matching.devices import chosen, told
from nissl.annotators.spikes.preprocess import Step, apply_plan, make_plan, require_sortable
from nissl.annotators.spikes.proposal import propose
from nissl.annotators.spikes.sorting import Spikes, UnitFacts, in_files
from nissl.run.context import Context
from nissl.run.execute import GOES_ON, STARTS_AGAIN, resumable
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs, Promises, Result

if TYPE_CHECKING:  # numba takes a second to load
    from nissl.annotators.spikes.own.keeping import Kept
    from nissl.annotators.spikes.own.motion.estimate import Motion

NAME = "spikes/nissl"
VERSION = "6"
PROMISES = Promises(chunked=False, deterministic=True, memory="measured")
PACKAGES = ("spikeinterface", "numba")
DEFAULTS: dict[str, Any] = {
    "freq_min_hz": 300.0,
    "freq_max_hz": 6000.0,
    "bad_channels": "auto",
    "device": "auto",
}
UNITS_KEPT = (
    "The same command looks for units again; whitening, motion and the zones of a large probe that "
    "were finished are kept."
)
DOES = ("phase_shift", "bandpass")
"""Steps of the plan that the sorter's samples do not go through: it filters by itself, and does not
undo multiplexing. No common reference is taken; the whitening sees to what channels share."""


def own_steps(
    parameters: Mapping[str, Any], moved: Sequence[int] = (), screened: Sequence[int] = ()
) -> tuple[Step, ...]:
    """What the sorter does to the samples itself, in order.

    Parameters
    ----------
    parameters : mapping
        Of the method.
    moved, screened : sequence of int
        Shanks whose motion is corrected; whose artifacts are left out.
    """
    low, high = float(parameters["freq_min_hz"]), float(parameters["freq_max_hz"])
    band = f"Causal band-pass ({low:g} to {high:g} Hz) and decimation by the sorter."
    white = "Noise made white in time and over channels within 100 um, by the sorter."
    rest = "Moving tissue taken back to rest by kriging over channels, by the sorter."
    zeros = "Nothing is looked for around what a network takes for artifacts, by the sorter."
    still = (Step("motion", NAME, {"shanks": list(moved)}, rest),) if moved else ()
    silent = (Step("artifacts", NAME, {"shanks": list(screened)}, zeros),) if screened else ()
    return (
        Step("bandpass", NAME, {"freq_min_hz": low, "freq_max_hz": high}, band),
        *still,
        Step("whitening", NAME, {}, white),
        *silent,
    )


@dataclass(frozen=True, eq=False)
class Own:
    """Spikes of one shank, as `propose` takes them, and what was done to find them.

    Parameters
    ----------
    shank : int
    spikes : Spikes
    motion : Motion or None
        None where the tissue stood still.
    screened : bool
        Whether artifacts were looked for.
    doubted : int
        Spikes that were left out for a low confidence.
    """

    shank: int
    spikes: Spikes
    motion: Motion | None = None
    screened: bool = False
    doubted: int = 0


@dataclass(frozen=True)
class NisslSorter:
    """Matching pursuit with templates found by peeling.

    Notes
    -----
    Each stage is a module of `nissl.annotators.spikes.own`. Where the tissue moved, samples are
    taken back to rest before they are whitened; the run's log has the path. Each spike has a
    confidence (`own.confidence`); the log tells how many were left out for a low one. Units that
    might be two, and pairs that might be one, come with what speaks for it (`own.doubting`).
    """

    name: str = NAME
    version: str = VERSION
    promises: Promises = PROMISES

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return {k: "pip install 'nissl[ephys]'" for k in PACKAGES if find_spec(k) is None}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return installed(("numpy", "scipy", "numba", "spikeinterface"))

    def defaults(self) -> Mapping[str, Any]:
        """The band (`freq_min_hz`, `freq_max_hz`), `bad_channels` ("auto", "keep"), `device`.

        `device` is where templates are matched (`own.matching.devices`): "auto" is a graphics
        processor that PyTorch sees ("cuda"), else "cpu". The log tells which it was.
        """
        return dict(DEFAULTS)

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Sort every shank on its own, and measure what was found.

        Raises
        ------
        BadMetadataError, BadSamplesError
            A signal that cannot hold spikes, or holds none.
        BadArgumentError
            An option outside its values, or a device that is not there.
        MissingDependencyError
            A device that needs PyTorch, which is not installed.
        InterruptedRunError
            Ctrl-C.
        """
        began = time.perf_counter()
        device = chosen(str(parameters["device"]))
        require_sortable(inputs.signal)
        signal = in_files(inputs.signal, context.workdir / "samples")
        streams = {**inputs.recording.streams, inputs.stream: signal}
        inputs = replace(inputs, recording=replace(inputs.recording, streams=streams))
        with measure_peak() as peak:
            plan = make_plan(signal, {**parameters, "reference": "none"}, context.seed)
            require_spikes(apply_plan(signal, plan), signal.clock, context.seed)
            found = [
                self._sort(inputs, shank, {**parameters, "device": device}, context)
                for shank in shanks_of(signal, plan)
            ]
            moved = [each.shank for each in found if each.motion is not None]
            screened = [each.shank for each in found if each.screened]
            done = plan.without(DOES).extended(*own_steps(parameters, moved, screened))
            steps = [step.to_json() for step in done.steps]
            shaped_by = {**parameters, "preprocessing": steps}
            result = propose(self, inputs, shaped_by, context, plan, found)
        log = {
            "preprocessing": steps,
            "bad_channels": dict(plan.bad_channels),
            "sorter": {"name": self.name, "version": self.version, "parameters": dict(parameters)},
            "device": told(device),
            "sorter_wall_s": sum(each.spikes.wall_s for each in found),
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
            "motion": motion_log(found),
            "doubted_spikes": sum(each.doubted for each in found),
        }
        return replace(result, log=log)

    def _sort(
        self, inputs: Inputs, shank: Shank, parameters: Mapping[str, Any], context: Context
    ) -> Own:
        # only here: numba takes a second to load
        from nissl.annotators.spikes.own.doubting.doubts import doubts
        from nissl.annotators.spikes.own.matching.matching import screen_of
        from nissl.annotators.spikes.own.sorter import fit, match

        began = time.perf_counter()
        signal, kept = inputs.signal, kept_of(inputs, shank, parameters, context)
        of = "" if shank.alone else f", shank {shank.number}"
        band = (float(parameters["freq_min_hz"]), float(parameters["freq_max_hz"]))
        device = str(parameters["device"])
        with resumable(stage := f"finding units{of}", STARTS_AGAIN if kept is None else UNITS_KEPT):
            fitted = fit(signal, shank.columns, band, context, stage, device, kept)
        with resumable(stage := f"matching{of}", STARTS_AGAIN if kept is None else GOES_ON):
            spikes = match(signal, fitted, context, stage, kept)
        with resumable(f"doubts about units{of}", STARTS_AGAIN):
            doubted = doubts(signal, fitted, spikes.template, context.seed)
        wall_s = time.perf_counter() - began
        return Own(
            shank.number,
            Spikes(
                spikes.sample,
                spikes.unit,
                wall_s,
                0,
                spikes.confidence,
                UnitFacts(
                    np.asarray([each.false_negatives for each in spikes.expected]),
                    doubted.split,
                    doubted.apart,
                ),
            ),
            fitted.motion,
            screen_of(signal, fitted.front) is not None,
            spikes.doubted,
        )


def kept_of(
    inputs: Inputs, shank: Shank, parameters: Mapping[str, Any], context: Context
) -> Kept | None:
    """Where what is found on a shank is kept; None where nothing tells its samples from others'."""
    from nissl.annotators.spikes.own.keeping import Kept

    if not inputs.recording.fingerprint:
        return None
    of = {
        "source": inputs.recording.fingerprint,
        "stream": inputs.stream,
        "columns": list(map(int, shank.columns)),
        "parameters": dict(parameters),
        "seed": context.seed,
        "version": VERSION,
    }
    return Kept(context.workdir, of)


def motion_log(found: Sequence[Own]) -> dict[str, Any]:
    """Path and range of the shank that moved most, as the report draws it."""
    moved = [(each.shank, each.motion) for each in found if each.motion is not None]
    if not moved:
        return {"corrected": False}
    shank, motion = max(moved, key=lambda pair: pair[1].range_um)
    return {
        "method": "likelihood of peaks over depth and amplitude, samples taken to rest by kriging",
        "shank": shank,
        "corrected": True,
        "range_um": round(motion.range_um, 2),
        "time_s": motion.time_s.round(3).tolist(),
        "depth_um": motion.depth_um.round(2).tolist(),
        "displacement_um": motion.displacement_um.T.round(2).tolist(),
    }
