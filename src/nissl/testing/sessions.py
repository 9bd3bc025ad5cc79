"""A session of three devices with known clocks: a probe, an input board and a camera.

Everything happens at times of the laboratory; each device has its own clock, which drifts and
wanders. The probe and the board see one jittered sync train (with pulses lost on either); the
board sees the camera's frame pulses; the behaviour is seen by the camera alone, and labelled
in frames. Spikes follow the behaviour at known latencies. So the way from behaviour to spikes
leads through both clock maps, and every step can be compared with the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data import ChannelTable, Line, Recording, Session, Signal, Subject
from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.digest import digest_json
from nissl.sync import ClockMap

PROBE_RATE_HZ = 10_000.0
BOARD_RATE_HZ = 5_000.0
FRAME_RATE_HZ = 30.0
_EDGE_JITTER_S = 20e-6
_GAIN_UV = 0.5

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SessionTruth:
    """What really happened, in seconds of the laboratory.

    Parameters
    ----------
    probe_clock, board_clock : ClockMap
        Laboratory seconds to each device's seconds.
    sync_s : ndarray, shape (n_pulses,), float64
        Pulses of the sync train.
    exposures_s : ndarray, shape (n_exposures,), float64
        Frame pulses of the camera.
    frame_numbers : ndarray, shape (n_frames,), int64
        Exposures that are in the camera's file.
    onsets_s : ndarray, shape (n_bouts,), float64
        Beginning of each bout of behaviour.
    flashes_s : ndarray, shape (n_flashes,), float64
        Flashes on the photodiode.
    latencies_s : ndarray, shape (n_units,), float64
        Mean time of each unit's response after an onset.
    """

    probe_clock: ClockMap
    board_clock: ClockMap
    sync_s: Times
    exposures_s: Times
    frame_numbers: npt.NDArray[np.int64]
    onsets_s: Times
    flashes_s: Times
    latencies_s: Times

    @property
    def frames_s(self) -> Times:
        """Time of each frame of the file, shape (n_frames,)."""
        return np.asarray(self.exposures_s[self.frame_numbers])


@dataclass(frozen=True, eq=False)
class DemoSession:
    """Recordings and labels as a laboratory would have them, and the truth behind them.

    Parameters
    ----------
    probe : Recording
        Stream "ap" (4 channels) and line "sync".
    board : Recording
        Stream "nidq" (channel "photodiode") and lines "sync" and "camera".
    frame_numbers : ndarray, shape (n_frames,), int64
        The camera's own number of each frame in its file; it jumps where frames were dropped.
    behaviour : LabelSet
        SPANS in frames of the file, by a person: "groom" and "rear".
    spikes : LabelSet
        True EVENTS on the probe's "ap".
    truth : SessionTruth
    """

    probe: Recording
    board: Recording
    frame_numbers: npt.NDArray[np.int64]
    behaviour: LabelSet
    spikes: LabelSet
    truth: SessionTruth


def simulate_session(
    seed: int,
    *,
    duration_s: float = 120.0,
    n_units: int = 4,
    drift_ppm: float = 20.0,
    lost: float = 0.01,
    dropped: float = 0.001,
) -> DemoSession:
    """Simulate a session of two devices and a camera.

    Parameters
    ----------
    seed : int
    duration_s : float
        At least 20 s; about 11 MB of samples per 120 s.
    n_units : int
    drift_ppm : float
        Of the board against the laboratory; the probe drifts a third as much the other way.
    lost : float
        Part of the pulses of each line that its device does not see.
    dropped : float
        Part of the frames that the camera's file lacks; at least one frame is dropped.
    """
    if duration_s < 20 or n_units < 1 or not (0 <= lost < 0.2 and 0 <= dropped < 0.2):
        raise BadArgumentError(
            "at least 20 s, one unit, and less than a fifth lost or dropped",
            f"{duration_s} s, {n_units} units, lost {lost}, dropped {dropped}",
            "Choose a larger session or smaller losses.",
        )
    rng = np.random.default_rng(seed)
    truth = _truth(duration_s, n_units, drift_ppm, dropped, rng)
    about = digest_json([seed, duration_s, n_units, drift_ppm, lost, dropped])
    clock = Clock.regular(PROBE_RATE_HZ, round(PROBE_RATE_HZ * duration_s))
    fingerprint = digest_json(["probe", about])
    spikes = _spikes(truth, clock, fingerprint, rng)
    probe = _recording(
        "probe",
        _probe_signal(spikes, clock, rng),
        (_line("sync", truth.sync_s, truth.probe_clock, clock, lost, rng),),
        fingerprint,
    )
    clock = Clock.regular(BOARD_RATE_HZ, round(BOARD_RATE_HZ * duration_s))
    board = _recording(
        "board",
        _photodiode(truth.board_clock(truth.flashes_s), clock, rng),
        (
            _line("sync", truth.sync_s, truth.board_clock, clock, lost, rng),
            _line("camera", truth.exposures_s, truth.board_clock, clock, lost, rng),
        ),
        digest_json(["board", about]),
    )
    behaviour = _behaviour(truth, digest_json(["camera", about]), rng)
    return DemoSession(probe, board, truth.frame_numbers, behaviour, spikes, truth)


def wandering_clock(
    duration_s: float,
    rng: np.random.Generator,
    *,
    offset_s: float = 0.0,
    drift_ppm: float = 20.0,
    wander_ppm: float = 2.0,
    b: str = "device",
) -> ClockMap:
    """Clock that drifts and wanders as a quartz does when the room warms and cools.

    The rate is off by `drift_ppm`, plus a two-hour cycle of `wander_ppm` and a random walk.

    Parameters
    ----------
    duration_s : float
        Laboratory time that is covered, seconds.
    rng : numpy.random.Generator
    offset_s : float
        The device's seconds at laboratory time 0.
    drift_ppm, wander_ppm : float
    b : str
        Name of the device.

    Returns
    -------
    ClockMap
        Laboratory seconds to the device's, with a knot every 5 s.
    """
    step_s = 5.0
    lab = np.arange(-step_s, duration_s + 2 * step_s, step_s)
    cycle = np.sin(2 * np.pi * (lab / 7200 + rng.uniform()))
    walk = np.cumsum(rng.normal(0, 0.005, lab.size))
    rate = 1 + 1e-6 * (drift_ppm + wander_ppm * (cycle + walk / 4))
    device = np.concatenate([[0.0], np.cumsum(step_s * rate[:-1])])
    device += offset_s - np.interp(0.0, lab, device)
    return ClockMap.through(lab, device, a="laboratory", b=b)


def jittered_train(
    duration_s: float, rng: np.random.Generator, *, period_s: float = 1.0, jitter: float = 0.2
) -> Times:
    """Pulse times whose intervals vary by ``+- jitter`` periods, in seconds."""
    n = int(duration_s / period_s / (1 - jitter)) + 1
    times = np.cumsum(period_s * (1 + rng.uniform(-jitter, jitter, n)))
    return np.asarray(times[times < duration_s])


def _truth(
    duration_s: float, n_units: int, drift_ppm: float, dropped: float, rng: np.random.Generator
) -> SessionTruth:
    exposures_s = np.arange(5.0, duration_s - 3, (1 + 35e-6) / FRAME_RATE_HZ)
    kept = rng.random(exposures_s.size) >= dropped
    kept[[0, -1]] = True
    kept[rng.integers(1, exposures_s.size - 1)] = False
    bouts = np.arange(7.0, duration_s - 6, 3.0)
    return SessionTruth(
        probe_clock=wandering_clock(
            duration_s, rng, offset_s=0.8, drift_ppm=-drift_ppm / 3, b="probe"
        ),
        board_clock=wandering_clock(duration_s, rng, offset_s=-2.3, drift_ppm=drift_ppm, b="board"),
        sync_s=jittered_train(duration_s, rng),
        exposures_s=exposures_s,
        frame_numbers=np.flatnonzero(kept),
        onsets_s=bouts + rng.uniform(0, 1, bouts.size),
        flashes_s=np.arange(6.0, duration_s - 6, 2.0) + rng.uniform(0, 0.5),
        latencies_s=np.linspace(0.06, 0.15, n_units),
    )


def _recording(device: str, signal: Signal, lines: tuple[Line, ...], fingerprint: str) -> Recording:
    return Recording(
        path=None,
        format="simulated",
        streams={signal.name: signal},
        lines=lines,
        subject=Subject("simulated"),
        session=Session("demo", device=device),
        fingerprint=fingerprint,
    )


def _line(
    name: str,
    pulses_s: Times,
    device: ClockMap,
    clock: Clock,
    lost: float,
    rng: np.random.Generator,
) -> Line:
    """Pulses as a device sees them: jittered, sampled, some lost, the first and last kept."""
    seen = rng.random(pulses_s.size) >= lost
    seen[[0, -1]] = True
    times = device(pulses_s[seen]) + rng.normal(0, _EDGE_JITTER_S, int(seen.sum()))
    rising = clock.to_samples(times)
    falling = rising + round(0.01 * clock.rate_hz)
    inside = (rising >= 0) & (falling < clock.n_samples)
    return Line(name, rising[inside], falling[inside], clock)


def _spikes(
    truth: SessionTruth, clock: Clock, fingerprint: str, rng: np.random.Generator
) -> LabelSet:
    """Poisson background and three spikes around the latency after every onset, per unit."""
    samples, items = [], []
    for unit, latency_s in enumerate(truth.latencies_s.tolist()):
        background = rng.uniform(0, clock.duration_s, rng.poisson(3 * clock.duration_s))
        responses = (
            truth.onsets_s[:, None] + latency_s + rng.normal(0, 0.005, (truth.onsets_s.size, 3))
        )
        times = np.concatenate([background, responses.ravel()])
        found = clock.to_samples(truth.probe_clock(times))
        found = np.unique(found[(found >= 20) & (found < clock.n_samples - 20)])
        samples.append(found)
        items.append(np.full(found.size, unit))
    sample, item = np.concatenate(samples), np.concatenate(items)
    order = np.lexsort((item, sample))
    columns = {
        "sample": sample[order],
        "item": item[order],
        "channel": (item[order] % 4).astype(np.int32),
        "amplitude": np.full(sample.size, -80, dtype=np.float32),
    }
    about = Provenance("spikes", fingerprint, Author("model", "simulation", "1"), "ap")
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), about)


def _probe_signal(spikes: LabelSet, clock: Clock, rng: np.random.Generator) -> Signal:
    """Noise of 8 uV with a brief trough at every spike on its unit's channel."""
    noise = rng.standard_normal((clock.n_samples, 4), dtype=np.float32) * (8 / _GAIN_UV)
    shape = np.exp(-0.5 * (np.arange(-8, 9) / 2.5) ** 2) * (-80 / _GAIN_UV)
    for offset, value in zip(range(-8, 9), shape.tolist(), strict=True):
        np.add.at(noise, (spikes.column("sample") + offset, spikes.column("channel")), value)
    channels = ChannelTable.plain(4, gain_uv=_GAIN_UV)
    samples = np.rint(noise).astype(np.int16)
    return Signal.from_array(samples, clock.rate_hz, name="ap", channels=channels)


def _photodiode(flashes_s: Times, clock: Clock, rng: np.random.Generator) -> Signal:
    """Flashes of 100 ms that rise and fall within 4 ms to 1 V, with 10 mV of noise."""
    times = np.arange(clock.n_samples) / clock.rate_hz
    rise_s = 0.004
    corners = np.stack(
        [flashes_s + d for d in (-rise_s / 2, rise_s / 2, 0.1 - rise_s / 2, 0.1 + rise_s / 2)], 1
    )
    level = np.interp(times, corners.ravel(), np.tile([0.0, 1.0, 1.0, 0.0], flashes_s.size))
    volts = level + rng.normal(0, 0.01, times.size)
    channels = ChannelTable.plain(("photodiode",), gain_uv=100.0, kind="aux")
    samples = np.rint(volts * 1e4).astype(np.int16)[:, None]
    return Signal.from_array(samples, clock.rate_hz, name="nidq", channels=channels)


def _behaviour(truth: SessionTruth, fingerprint: str, rng: np.random.Generator) -> LabelSet:
    """Bouts in frames of the file: from the frame nearest to the onset to the one at the end."""
    frames_s = truth.frames_s
    ends_s = truth.onsets_s + rng.uniform(0.4, 1.2, truth.onsets_s.size)
    start, stop = (
        np.searchsorted((frames_s[1:] + frames_s[:-1]) / 2, t) for t in (truth.onsets_s, ends_s)
    )
    columns = {"start": start, "stop": stop, "label": rng.integers(0, 2, start.size)}
    about = Provenance("behaviour", fingerprint, Author("person", "observer"), "frames")
    return LabelSet.build(Kind.SPANS, columns, ("groom", "rear"), about)
