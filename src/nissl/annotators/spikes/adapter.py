"""A sorter as an annotator: sort each shank in a process of its own, then measure the units."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np

from nissl.annotators.spikes import preprocess
from nissl.annotators.spikes.detecting import require_spikes
from nissl.annotators.spikes.drift import Drift, estimate_drift
from nissl.annotators.spikes.preprocess import Plan, Step, apply_plan, kept_channels, make_plan
from nissl.annotators.spikes.proposal import propose
from nissl.annotators.spikes.sorters import Sorter
from nissl.annotators.spikes.sorting import WORKER, Spikes, in_files, sort_in_process
from nissl.data import Signal
from nissl.data.spikeinterface import signal_to_json
from nissl.errors import BadArgumentError
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs, Promises, Result

MOTION = ("auto", "on", "off")
MOTION_FROM_UM = 10.0
PARALLEL_FROM = 50_000_000  # samples times channels, from which more processes pay
VERSION = "2"
WHOLE = Promises(chunked=False, deterministic=False, memory="measured")


@dataclass(frozen=True)
class SorterAdapter:
    """A SpikeInterface sorter that fulfils the task "spikes".

    Parameters
    ----------
    sorter : Sorter
    """

    sorter: Sorter
    version: str = VERSION
    promises: Promises = WHOLE

    @property
    def name(self) -> str:
        """Name of the method."""
        return f"spikes/{self.sorter.name}"

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return {k: how for k, how in self.sorter.packages.items() if find_spec(k) is None}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return installed(self.sorter.versions)

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values.

        `freq_min_hz`, `freq_max_hz`; `bad_channels` ("auto", "keep"); `reference` ("auto",
        "median", "local", "none"); `motion_correction` ("auto": from 10 um of drift on, "on",
        "off"); `sorter`: parameters handed to the sorter as they are.
        """
        low, high = self.sorter.band_hz
        return {
            **preprocess.DEFAULTS,
            "freq_min_hz": low,
            "freq_max_hz": high,
            "motion_correction": "auto" if self.sorter.corrects_motion else "off",
            "sorter": {},
        }

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Sort every shank on its own, and measure what was found.

        Raises
        ------
        BadMetadataError, BadSamplesError
            A signal that cannot hold spikes, or holds none.
        BadArgumentError
            An option outside its values.
        MethodFailedError
            The sorter failed; its log is named.
        InterruptedRunError
            Ctrl-C; finished shanks and chunks are kept.
        """
        began = time.perf_counter()
        preprocess.require_sortable(inputs.signal)
        self._check(parameters)
        signal = in_files(inputs.signal, context.workdir / "samples")
        streams = {**inputs.recording.streams, inputs.stream: signal}
        inputs = replace(inputs, recording=replace(inputs.recording, streams=streams))
        with measure_peak() as peak:
            plan = make_plan(signal, parameters, context.seed)
            require_spikes(apply_plan(signal, plan), signal.clock, context.seed)
            found = [
                self._sort_shank(inputs, plan, shank, parameters, context)
                for shank in shanks_of(signal, plan)
            ]
            done = plan.without(self.sorter.does).extended(*self._own(found))
            steps = [step.to_json() for step in done.steps]
            shaped_by = {**parameters, "preprocessing": steps}
            result = propose(self, inputs, shaped_by, context, plan, found)
        log = {
            "preprocessing": steps,
            "bad_channels": dict(plan.bad_channels),
            "sorter": self._about(parameters),
            "sorter_wall_s": sum(shank.spikes.wall_s for shank in found),
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": max(peak.bytes, *(s.spikes.peak_bytes for s in found)),
        }
        return replace(result, log=log | motion_log(found))

    def _check(self, parameters: Mapping[str, Any]) -> None:
        wanted = parameters["motion_correction"]
        allowed = MOTION if self.sorter.corrects_motion else ("off",)
        if wanted not in allowed:
            raise BadArgumentError(
                f"motion_correction among {list(allowed)} for {self.name}",
                repr(wanted),
                "Choose one of them, or another sorter.",
            )

    def _sort_shank(
        self,
        inputs: Inputs,
        plan: Plan,
        shank: Shank,
        parameters: Mapping[str, Any],
        context: Context,
    ) -> Sorted:
        signal = inputs.signal
        recording = apply_plan(signal, plan).select_channels(shank.names)
        drift = estimate_drift(signal, recording, shank.columns, context.seed)
        motion = self._corrects(parameters, drift)
        load = signal.n_samples * len(shank.columns)
        n_jobs = max(1, min(context.workers, load // PARALLEL_FROM))
        folder = context.workdir / f"shank-{shank.number}"
        job = {
            "sorter": self.sorter.name,
            "source": inputs.recording.fingerprint,
            "stream": inputs.stream,
            "plan": plan.without(self.sorter.does).to_json(),
            "channels": shank.names,
            "one_segment": self.sorter.one_segment,
            "settings": self.sorter.settings(motion, context.seed, n_jobs)
            | dict(parameters["sorter"]),
            "seed": context.seed,
        }
        command, job = self.process(signal, job, context)
        spikes = sort_in_process(command, job, folder, context, stage=self._stage(shank))
        return Sorted(shank.number, spikes, drift, motion)

    def process(
        self, signal: Signal, job: dict[str, Any], context: Context
    ) -> tuple[list[str], dict[str, Any]]:
        """Command of the sorter's process, and its job file."""
        stored = in_files(signal, context.workdir / "samples")
        return list(WORKER), job | {"signal": signal_to_json(stored)}

    def _stage(self, shank: Shank) -> str:
        return self.name if shank.alone else f"{self.name}, shank {shank.number}"

    def _corrects(self, parameters: Mapping[str, Any], drift: Drift | None) -> bool:
        wanted = parameters["motion_correction"]
        moved = drift is not None and drift.range_um > MOTION_FROM_UM
        return bool(drift is not None and (wanted == "on" or (wanted == "auto" and moved)))

    def _own(self, found: list[Sorted]) -> list[Step]:
        """Steps that the sorter did."""
        done = [s for s in self.sorter.does if s != "motion" or any(f.motion for f in found)]
        return [
            Step(step, self.sorter.name, self._step_parameters(step, found), self._words(step))
            for step in done
        ]

    def _words(self, step: str) -> str:
        return self.sorter.words.get(step, f"{step} by {self.sorter.name}.")

    def _step_parameters(self, step: str, found: list[Sorted]) -> dict[str, Any]:
        if step != "motion":
            return {}
        return {"shanks": [f.shank for f in found if f.motion], "preset": "dredge_fast"}

    def _about(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": self.sorter.name,
            "version": installed(("spikeinterface",)).get("spikeinterface", ""),
            "parameters": dict(parameters),
            "does": list(self.sorter.does),
            "reference": self.sorter.reference,
        }


@dataclass(frozen=True)
class Shank:
    """Good channels of one shank: they are sorted by themselves."""

    number: int
    columns: list[int]
    names: list[str]
    alone: bool


def shanks_of(signal: Signal, plan: Plan) -> list[Shank]:
    """Shanks with good channels, in order of their numbers."""
    kept = kept_channels(signal, plan)
    numbers = signal.channels.shank
    groups = {int(k): [i for i in kept if numbers[i] == k] for k in np.unique(numbers)}
    present = {k: columns for k, columns in groups.items() if columns}
    ids = signal.channels.ids
    return [
        Shank(k, columns, [ids[i] for i in columns], len(present) == 1)
        for k, columns in present.items()
    ]


@dataclass(frozen=True, eq=False)
class Sorted:
    """What came of one shank."""

    shank: int
    spikes: Spikes
    drift: Drift | None
    motion: bool


def installed(distributions: tuple[str, ...]) -> dict[str, str]:
    """Versions of those distributions that are installed."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def motion_log(found: Sequence[Sorted]) -> dict[str, Any]:
    """What is known of drift: of the shank that moved most, and whether it was corrected."""
    moved = [shank for shank in found if shank.drift is not None]
    if not moved:
        return {}
    most = max(moved, key=lambda shank: shank.drift.range_um if shank.drift else 0.0)
    facts = most.drift.to_json() if most.drift else {}
    return {"motion": facts | {"shank": most.shank, "corrected": most.motion}}
