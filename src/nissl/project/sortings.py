"""Verifying sortings in a project, and what may be said of their confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nissl.annotators.spikes.verifying.placing import Design
from nissl.annotators.spikes.verifying.verdict import Verdict, not_verified
from nissl.annotators.spikes.verifying.verify import Request, Verification, verify
from nissl.data import Recording
from nissl.errors import BadArgumentError
from nissl.project.annotating import Resources, complete
from nissl.project.source import Source
from nissl.store import Store
from nissl.tasks import ANNOTATORS, Annotator, resolve

TASK = "spikes"


@dataclass(frozen=True, eq=False)
class Verified:
    """A sorting that was verified.

    Parameters
    ----------
    found : Verification
    files : tuple of Path
        The report.
    """

    found: Verification
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Options:
    """How a sorting is verified.

    Parameters
    ----------
    design : Design
    units : {"both", "own", "library"}
    library : Path, optional
        Units that somebody brings; see `nissl.annotators.spikes.verifying.library`.
    halves : bool
    also : str, optional
        Another method to compare with.
    parameters : mapping
        Of the method, those that differ from the defaults.
    seed : int
    """

    design: Design = field(default_factory=Design)
    units: str = "both"
    library: Path | None = None
    halves: bool = True
    also: str | None = None
    parameters: Mapping[str, Any] | None = None
    seed: int = 0


def verify_sorting(
    recording: Recording,
    stream: str,
    name: str,
    out: Path,
    options: Options | None = None,
    resources: Resources | None = None,
) -> Verified:
    """Verify a method on a recording, and write the report.

    Parameters
    ----------
    recording : Recording
    stream : str
    name : str
        "spikes", or "spikes/tridesclous2".
    out : Path
        Folder of the report, and of what resumes an interrupted run.
    options : Options, optional
    resources : Resources, optional

    Raises
    ------
    BadArgumentError
        A method of another task, or options outside their limits.
    BadSamplesError, MethodFailedError, InterruptedRunError
        See `nissl.annotators.spikes.verifying.verify.verify`.
    """
    from nissl.annotators.spikes.verifying.library import read_library
    from nissl.report.sorting import write_sorting

    options = Options() if options is None else options
    resources = Resources() if resources is None else resources
    method = _sorter(name)
    request = Request(
        recording,
        stream,
        method,
        complete(method.name, method.defaults(), options.parameters or {}),
        options.design,
        options.units,
        () if options.library is None else read_library(options.library),
        options.halves,
        None if options.also is None else _sorter(options.also),
    )
    found = verify(request, out, resources.context(out / "work", options.seed))
    return Verified(found, write_sorting(found, out))


def _sorter(name: str) -> Annotator:
    task, method = resolve(name)
    if task.name != TASK:
        raise BadArgumentError(
            f"a method of the task {TASK!r}", repr(name), "`nissl tasks` lists them."
        )
    return method


def verify_source(
    store: Store,
    source: Source,
    name: str,
    *,
    stream: str | None = None,
    out: Path | None = None,
    options: Options | None = None,
    resources: Resources | None = None,
) -> Verified:
    """Verify a method on a source, and keep the verdict; see `Project.verify_sorting`."""
    from nissl.data.channels import SPIKING

    chosen = source.stream(stream, SPIKING)
    method = _sorter(name)
    folder = out or store.path / "reports" / f"{source.name}.{method.name.replace('/', '-')}"
    done = verify_sorting(source.recording, chosen, method.name, folder, options, resources)
    body = {
        "verdict": done.found.verdict.to_json(),
        "parameters": dict(done.found.facts["parameters"]),
        "report": [str(path) for path in done.files],
    }
    store.set_setting(_name(source.fingerprint, chosen, method.name), body)
    return done


def calibration_of(
    store: Store, source: Source, method: str, *, parameters: Mapping[str, Any] | None = None
) -> Verdict:
    """What may be said of a method's per-spike confidence on a source.

    Parameters
    ----------
    store : Store
    source : Source
    method : str
        "spikes/lupin".
    parameters : mapping, optional
        Complete parameters of the sorting in question; by default those that were verified.

    Returns
    -------
    Verdict
        "not verified" where nobody has verified this very recording, or did with another version
        of the method or other parameters. Only a verdict that is `calibrated` lets a confidence
        be called a probability.
    """
    streams = sorted(source.row.streams)
    for stream in streams:
        body = store.setting(_name(source.fingerprint, stream, method))
        if body is None:
            continue
        verdict = Verdict.from_json(body["verdict"])
        known = method in ANNOTATORS
        now = f"{method} {ANNOTATORS.get(method).version}" if known else verdict.method
        same = parameters is None or dict(parameters) == body["parameters"]
        if verdict.method == now and same:
            return verdict
    return not_verified(method, source.fingerprint, streams[0] if streams else "")


def _name(fingerprint: str, stream: str, method: str) -> str:
    return f"calibration:{fingerprint}:{stream}:{method}"
