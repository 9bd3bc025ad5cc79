"""`nissl live`: labels on a stream, as it comes."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nissl.cli.annotating import parameters_of
from nissl.cli.output import say
from nissl.cli.triggering import Triggering, publisher, socket_source
from nissl.errors import BadArgumentError

if TYPE_CHECKING:
    from nissl.annotators.spikes.own.live.taught import TaughtSorter
    from nissl.live import LiveMethod
    from nissl.live.contract import StreamInfo
    from nissl.live.sources import Source as Stream
    from nissl.project import Project, Source

_LSL = "lsl:"


def live(
    project: Annotated[Path, typer.Argument(help="Project folder; created when absent.")],
    task: Annotated[str, typer.Option(help="Task or method: sleep, spikes, events/spindles, ...")],
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            help="lsl:NAME, zmq:tcp://HOST:PORT, openephys:tcp://HOST:PORT, or a recording.",
        ),
    ],
    speed: Annotated[
        float, typer.Option(help="Of a replay: 1 is real time, inf does not wait.")
    ] = 1.0,
    stream: Annotated[str | None, typer.Option(help="Stream of the recording.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Parameter of the method, NAME=JSON.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="End after so many seconds of samples.")
    ] = None,
    teach: Annotated[
        str | None,
        typer.Option(
            help="Source that teaches: its units the sorter, its trials a decoder, its maps "
            "microstates."
        ),
    ] = None,
    teach_seconds: Annotated[
        float | None,
        typer.Option(help="Of spikes: only so many seconds of its beginning teach."),
    ] = None,
    markers: Annotated[
        str | None, typer.Option(help="Of decoding: LSL stream of markers at each trial's onset.")
    ] = None,
    mark_to: Annotated[
        str | None, typer.Option(help="Also send what is said as an LSL stream of this name.")
    ] = None,
    publish: Annotated[
        str | None,
        typer.Option(help="Also send what is said to a ZeroMQ PUB socket: tcp://*:PORT."),
    ] = None,
    trigger: Annotated[
        str | None, typer.Option(help="Send triggers: serial:PORT, or zmq:tcp://*:PORT.")
    ] = None,
    trigger_on: Annotated[
        str | None, typer.Option(help="Labels or unit=N that fire, with commas; all by default.")
    ] = None,
    refractory: Annotated[float, typer.Option(help="Least seconds between two triggers.")] = 0.0,
    max_rate: Annotated[float, typer.Option(help="Most triggers within a second.")] = math.inf,
    kill_file: Annotated[
        Path | None, typer.Option(help="No trigger is sent once this file has appeared.")
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="ZeroMQ address that takes kill and arm: tcp://*:PORT.")
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to look for the stream.")] = 10.0,
    idle: Annotated[float, typer.Option(help="End when nothing came for so many seconds.")] = 60.0,
) -> None:
    """Label a stream as it comes: JSON lines on standard output, label sets in the project.

    Ctrl-C ends it; everything that was printed is kept.
    """
    from nissl.live.lsl import LslMarkers, LslSource
    from nissl.live.sources import Replay
    from nissl.project import open_project

    task = f"{task}/nissl" if task in ("sleep", "spikes") else task
    parameters = parameters_of(set_ or [])
    with open_project(project) as study:
        _tell(study)
        source: Source | None = None
        came: Stream
        announced: Callable[[], list[int]] | None = None
        if from_.startswith(_LSL):
            came = LslSource.open(from_.removeprefix(_LSL), wait_s=wait, idle_s=idle)
            if markers is not None:
                announced = LslMarkers(markers, came, wait_s=wait)
        elif (socket := socket_source(from_, wait_s=wait, idle_s=idle)) is not None:
            came = socket
        else:
            source = study.add(from_)
            came = Replay(source.recording[_stream(source, stream, task)], speed=speed)
        method, announced = _method(
            study, task, came.info, parameters, teach, teach_seconds, source, announced
        )
        wanted = Triggering(trigger, trigger_on, refractory, max_rate, kill_file, control)
        try:
            _session(study, came, method, source, announced, seconds, mark_to, publish, wanted)
        except BrokenPipeError:  # nobody reads what is printed any more
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        finally:
            _tell(study)


def _session(
    study: Project,
    came: Stream,
    method: LiveMethod,
    source: Source | None,
    announced: Callable[[], list[int]] | None,
    seconds: float | None,
    mark_to: str | None,
    publish: str | None,
    wanted: Triggering,
) -> None:
    from nissl.live import run
    from nissl.live.lsl import MarkerSink
    from nissl.live.recorder import Recorder
    from nissl.live.sinks import Journal, Lines, Sink, head_of
    from nissl.project.living import new_journal

    path = new_journal(study.store, method.name)
    told: dict[str, Any]
    recorder = None
    if source is None:
        recorder = Recorder(path.with_suffix(".raw"), came.info)
        told = {"recording": recorder.path.name}
    else:
        told = {"fingerprint": source.fingerprint, "stream": came.info.name}
    rate = came.info.rate_hz
    sinks: list[Sink] = [Journal(path, head_of(method, told)), Lines(sys.stdout, rate)]
    if mark_to is not None:
        sinks.append(MarkerSink(mark_to))
    if publish is not None:
        sinks.append(publisher(publish))
    trigger = wanted.sink(path.with_suffix(".triggers"))
    if trigger is not None:
        sinks.append(trigger)
    say(
        f"{method.name} on {came.info.name!r}: {came.info.n_channels} channels at {rate:g} Hz; "
        f"known {method.latency_s:.2f} s after it ends, at the latest. Ctrl-C ends."
    )
    outcome = run(
        came,
        method,
        sinks,
        recorder=recorder,
        announced=announced,
        samples=None if seconds is None else math.ceil(seconds * rate),
    )
    end = "ended by you" if outcome.interrupted else "ended"
    say(f"{end} after {outcome.samples / rate:.1f} s: {outcome.claims} labels, {outcome.gaps} gaps")
    if trigger is not None:
        say(
            f"{trigger.sent} triggers, {trigger.held_back} held back; "
            f"killed at the end: {'yes' if trigger.was_killed else 'no'}"
        )


def _method(
    study: Project,
    task: str,
    info: StreamInfo,
    parameters: dict[str, Any],
    teach: str | None,
    teach_seconds: float | None,
    source: Source | None,
    announced: Callable[[], list[int]] | None,
) -> tuple[LiveMethod, Callable[[], list[int]] | None]:
    from nissl.live import live_method
    from nissl.live.decoding import LiveDecoder
    from nissl.project.living import learnt, microstates_of, taught

    if task == "spikes/nissl" and teach is not None:
        sorter, parameters = _sorter(study, teach, parameters, teach_seconds)
        return live_method(task, info, parameters, learnt=sorter), None
    if teach_seconds is not None:
        raise BadArgumentError(
            "--teach-seconds with --task spikes and --teach SOURCE",
            f"--task {task}" + ("" if teach is None else f" --teach {teach}"),
            "Leave it out, or name the recording that teaches.",
        )
    if not task.startswith("decoding"):
        if task == "events/microstates" and teach is not None:
            parameters = {"maps": microstates_of(study.source(teach))} | parameters
        own = learnt(study.store, task) if task in ("events/nissl", "sleep/nissl") else None
        return live_method(task, info, parameters, learnt=own), None
    if teach is None:
        raise BadArgumentError(
            "a recording whose trials teach the decoder", "none", "Name it: --teach SOURCE"
        )
    every = parameters.pop("every_s", None)
    decoder = taught(study.store, task, study.source(teach), parameters)
    onsets = [] if source is None else _onsets(study, source)
    if announced is None and not onsets and every is None:
        every = 1.0
    made = LiveDecoder(info, decoder, name=task, every_s=every)
    if onsets:
        return made, lambda: [onsets.pop(0) for _ in range(len(onsets))]
    return made, announced


def _sorter(
    study: Project, teach: str, parameters: dict[str, Any], seconds: float | None
) -> tuple[TaughtSorter, dict[str, Any]]:
    """The sorter that a source taught, now or before, and the parameters that are left."""
    from nissl.project.live_sorter import path_of, sorter_of
    from nissl.tasks import ANNOTATORS

    known = ANNOTATORS.get("spikes/nissl").defaults()
    of_sorter = {k: v for k, v in parameters.items() if k in known}
    left = {k: v for k, v in parameters.items() if k not in known}
    source = study.source(teach)
    path = path_of(study.store, source, of_sorter, seconds)
    if not path.exists():
        part = "" if seconds is None else f"the first {seconds:g} s of "
        say(f"Sorting {part}{source.name!r} to learn its units: this takes a while, and is kept.")
    sorter = sorter_of(study.store, source, of_sorter, seconds)
    say(f"{sorter.n_units} units of {source.name!r}, kept in {path}")
    if sorter.range_um > 0:
        say(
            f"The tissue moved by {sorter.range_um:g} um in {source.name!r}: the stream begins "
            "where it stood at the end, and goes on from there."
        )
    return sorter, left


def _onsets(study: Project, source: Source) -> list[int]:
    """Trials of a recording that is replayed: they stand for the markers of a stream."""
    rows = study.store.label_sets(source=source.fingerprint, task="trials")
    if not rows:
        return []
    start = study.store.get_labels(rows[-1].digest).column("start")
    return sorted(int(sample) for sample in start)


def _stream(source: Source, name: str | None, task: str) -> str:
    from nissl.tasks import TASKS

    return source.stream(name, TASKS.get(task.partition("/")[0]).streams)


def _tell(study: Project) -> None:
    """Make label sets of the journals that sessions have left, and say so."""
    from nissl.project.living import kept_sessions

    for session in kept_sessions(study.store):
        if session.problem:
            say(f"{session.journal.name} could not be made labels: {session.problem}")
        if session.labels is not None:
            say(
                f"kept: {session.labels.n_rows} labels of {session.task} on {session.source!r} "
                f"({session.labels.digest[:12]})"
            )


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("live", short_help="Label a stream as it comes: LSL, or a file replayed.")(live)
