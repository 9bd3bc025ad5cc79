"""Checks of clocks: residuals of clock maps, lost pulses and dropped frames as Findings."""

from __future__ import annotations

from nissl.sync import ClockMap, FrameTimes, PulseMatch
from nissl.tasks import Finding

EPHYS_LIMIT_S = 0.5e-3
LOST_LIMIT = 0.05
GAP_LIMIT_S = 300.0


def frame_limit_s(frame_rate_hz: float) -> float:
    """Half a frame, seconds: the limit for imaging and video."""
    return 0.5 / frame_rate_hz


def clock_findings(
    clock_map: ClockMap,
    limit_s: float = EPHYS_LIMIT_S,
    *,
    match: PulseMatch | None = None,
    frames: FrameTimes | None = None,
) -> list[Finding]:
    """Say all that is doubtful about two clocks.

    Parameters
    ----------
    clock_map : ClockMap
    limit_s : float
        `EPHYS_LIMIT_S` between ephys devices, `frame_limit_s` for imaging and video.
    match : PulseMatch, optional
        The match behind the map.
    frames : FrameTimes, optional
        The frames behind the map.
    """
    findings = check_clock_map(clock_map, limit_s)
    if match is not None:
        findings += check_pulses(match, a=clock_map.a, b=clock_map.b)
    if frames is not None:
        findings += check_frames(frames, camera=clock_map.a)
    return findings


def check_clock_map(clock_map: ClockMap, limit_s: float = EPHYS_LIMIT_S) -> list[Finding]:
    """Doubts about a clock map: residuals above a limit, too few pulses, long gaps.

    Parameters
    ----------
    clock_map : ClockMap
    limit_s : float
        `EPHYS_LIMIT_S` between ephys devices, `frame_limit_s` for imaging and video.
    """
    names = f"{clock_map.a} and {clock_map.b}"
    verdict = clock_map.verdict(limit_s)
    residuals = clock_map.residuals()
    findings = []
    if verdict.outcome == "unchecked":
        sentence = (
            f"The clocks of {names} are tied by {residuals.n_pulses} "
            f"pulse{'s' if residuals.n_pulses != 1 else ''} only, so nothing tells how far they "
            "drift apart between and beyond."
        )
        findings.append(
            Finding("clock_residual", "warning", sentence, None, None, limit_s * 1e3, "ms")
        )
    elif verdict.outcome == "above":
        sentence = (
            f"A pulse of {names} lies {verdict.value_s * 1e3:.3g} ms from where its neighbours "
            f"put it, above {limit_s * 1e3:.3g} ms (median "
            f"{residuals.left_out.median_s * 1e3:.3g} ms): times carried from one to the other "
            "may be wrong by as much."
        )
        findings.append(
            Finding(
                "clock_residual",
                "error",
                sentence,
                None,
                verdict.value_s * 1e3,
                limit_s * 1e3,
                "ms",
            )
        )
    if residuals.n_pulses > 1 and residuals.longest_gap_s > GAP_LIMIT_S:
        sentence = (
            f"No pulse ties {names} for {residuals.longest_gap_s:.0f} s; the drift within that "
            "time is taken as constant."
        )
        findings.append(
            Finding("clock_gap", "note", sentence, None, residuals.longest_gap_s, GAP_LIMIT_S, "s")
        )
    return findings


def check_pulses(match: PulseMatch, *, a: str = "a", b: str = "b") -> list[Finding]:
    """Doubts about a match: many pulses lost on one side, pulses left ambiguous."""
    findings = []
    for name, missing in ((a, match.missing_a.size), (b, match.missing_b.size)):
        share = missing / max(match.n_pairs + missing, 1)
        if share > LOST_LIMIT:
            sentence = (
                f"{name} lacks {missing} pulses ({share:.0%}) that the other device recorded: "
                "check its cable and its threshold."
            )
            findings.append(
                Finding("pulses_lost", "warning", sentence, None, share, LOST_LIMIT, "")
            )
    ambiguous = match.ambiguous_a.size + match.ambiguous_b.size
    if ambiguous:
        sentence = (
            f"{ambiguous} pulses of {a} and {b} have more than one possible partner and were "
            "left out of the clock map."
        )
        findings.append(
            Finding("pulses_ambiguous", "note", sentence, None, float(ambiguous), 0.0, "pulses")
        )
    return findings


def check_frames(frames: FrameTimes, *, camera: str = "the camera") -> list[Finding]:
    """Say how many frames were dropped and how many frame pulses were lost, and where first."""
    findings = []
    for check, numbers, what in (
        ("frames_dropped", frames.dropped, "exposures have no frame in the file"),
        ("frame_pulses_lost", frames.lost, "frames have no pulse; their times are interpolated"),
    ):
        if numbers.size:
            sentence = (
                f"{numbers.size} of {frames.pulses_s.size} exposures of {camera}: {what}, the "
                f"first at number {int(numbers[0])}."
            )
            share = numbers.size / frames.pulses_s.size
            severity = "warning" if share > 0.01 else "note"
            findings.append(Finding(check, severity, sentence, None, share, 0.01, ""))
    return findings
