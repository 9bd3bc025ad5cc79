"""`nissl demo session`: from behaviour in camera frames to spikes, through two clock maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nissl.cli.adding import AsJson
from nissl.cli.output import say, show, show_json

if TYPE_CHECKING:
    from nissl.data import Line, Recording
    from nissl.labels import LabelSet
    from nissl.sync import ClockMap, FrameTimes
    from nissl.testing.sessions import DemoSession


def session(
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    seconds: Annotated[float, typer.Option(help="Length of the session.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Join a probe, an input board and a camera on their own clocks, and check the result."""
    from nissl.testing.sessions import simulate_session

    made = simulate_session(seed, duration_s=seconds)
    sync, frames, behaviour = join(made)
    maps, units = _maps(made, sync, frames), _units(made, behaviour)
    if as_json:
        show_json({"maps": maps, "units": units})
    else:
        show("Clock maps, compared with the truth", maps, as_json=False)
        show("Units around the onset of behaviour", units, as_json=False)
    say(f"half a frame is {1e3 * frames.limit_s:.1f} ms; {frames.dropped.size} frames were dropped")


def join(made: DemoSession) -> tuple[ClockMap, FrameTimes, LabelSet]:
    """Board-to-probe clock map, times of the frames, and behaviour in samples of the probe."""
    from nissl.labels.remap import Target, remap
    from nissl.sync import frame_times, match_pulses

    board, probe = _line(made.board, "sync"), _line(made.probe, "sync")
    sync = match_pulses(board.rising_s, probe.rising_s).clock_map(a="board", b="probe")
    pulses_s = _line(made.board, "camera").rising_s
    frames = frame_times(pulses_s, numbers=made.frame_numbers)
    target = Target(made.probe.signal.clock, made.probe.fingerprint, "ap")
    camera = frames.clock_map(a="camera", b="board").then(sync)
    behaviour = remap(made.behaviour, frames.clock, target, clock_map=camera, outside="drop")
    return sync, frames, behaviour


def _line(recording: Recording, name: str) -> Line:
    return next(line for line in recording.lines if line.name == name)


def _maps(made: DemoSession, sync: ClockMap, frames: FrameTimes) -> list[dict[str, Any]]:
    import numpy as np

    truth = made.truth
    board_s = truth.board_clock(truth.onsets_s)
    error_s = np.abs(sync(board_s) - truth.probe_clock(truth.onsets_s))
    frame_s = np.abs(frames.times_s - truth.board_clock(truth.frames_s))
    left_out = sync.residuals().left_out
    camera = frames.clock_map(a="camera", b="board").residuals()
    return [
        _map_row("board to probe", sync.residuals().n_pulses, left_out.median_s, error_s),
        _map_row("camera to board", camera.n_pulses, camera.left_out.median_s, frame_s),
    ]


def _map_row(name: str, n_pulses: int, left_out_s: float, error_s: Any) -> dict[str, Any]:
    import numpy as np

    return {
        "map": name,
        "pulses": n_pulses,
        "left_out_median_ms": 1e3 * left_out_s,
        "true_error_median_ms": 1e3 * float(np.median(error_s)),
        "true_error_max_ms": 1e3 * float(error_s.max()),
    }


def _units(made: DemoSession, behaviour: LabelSet) -> list[dict[str, Any]]:
    import numpy as np

    from nissl.annotators.spikes.psth import onset_samples, psth

    clock = made.probe.signal.clock
    found = psth(made.spikes, onset_samples(behaviour), clock, window_s=(-0.2, 0.4), bin_s=0.005)
    inside = (found.times_s > 0) & (found.times_s < 0.25)
    base = found.rate_hz[:, found.times_s < 0].mean(axis=1, keepdims=True)
    above = np.clip(found.rate_hz - base, 0, None)[:, inside]
    latency = (above * found.times_s[inside]).sum(axis=1) / above.sum(axis=1)
    return [
        {
            "unit": int(item),
            "latency_ms": 1e3 * float(latency[row]),
            "true_latency_ms": 1e3 * float(made.truth.latencies_s[row]),
            "peak_hz": float(found.rate_hz[row].max()),
            "events": found.n_events,
        }
        for row, item in enumerate(found.items.tolist())
    ]
