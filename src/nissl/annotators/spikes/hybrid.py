"""Hybrid recordings: real units, with their own spike trains, in a real or matched background.

Every hybrid states what in it is real (waveforms, trains, background) and what is made
(geometry, tapered edges, joined trains, synthetic background, movement of the units). Split
units by animal between what you tune on and what you report: `split_by_animal`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.background import Background, Surrogate, real_blocks
from nissl.annotators.spikes.footprints import N_PHASES
from nissl.annotators.spikes.groundtruth import (
    GroundTruth,
    Spikes,
    Templates,
    collect,
    probe_table,
    recording_of,
    true_items,
    truth_of,
)
from nissl.annotators.spikes.hybrid_declaration import declare
from nissl.annotators.spikes.hybrid_options import HybridOptions
from nissl.annotators.spikes.hybrid_placing import Bed, Placed, place_units
from nissl.annotators.spikes.hybrid_units import HybridUnit
from nissl.clock import Clock
from nissl.errors import BadArgumentError
from nissl.labels import Author

__all__ = ["HybridOptions", "build_hybrid"]

_BLOCK_S = 2.0


def build_hybrid(
    units: Sequence[HybridUnit],
    background: Background,
    position_um: npt.NDArray[np.float64],
    *,
    seed: int,
    duration_s: float = 300.0,
    options: HybridOptions | None = None,
    path: Path | None = None,
) -> GroundTruth:
    """Add real units to a background.

    Parameters
    ----------
    units : sequence of HybridUnit
        All of them are placed; waveforms in uV, trains in seconds. Yours, or those of
        `load_cellexplorer`, split by animal and chosen by `choose`.
    background : Background
        Used as it is (cut, or continued by crossfaded pieces of itself) where it has as many
        channels as the probe, else as the model of a Gaussian surrogate of the same spectrum
        and spatial covariance.
    position_um : ndarray, shape (n_channels, 2), micrometres
        Contacts of the probe; see `nissl.annotators.spikes.groundtruth.grid_um`.
    seed : int
        Of all randomness: places, cuts of trains, sub-sample jitter, background.
    duration_s : float
        Seconds.
    options : HybridOptions, optional
    path : Path, optional
        Raw int16 file to write; without it the samples are held in memory
        (2 bytes x channels x rate x duration).

    Returns
    -------
    GroundTruth
        The recording (its metadata hold the declaration), the truth (EVENTS), the true units'
        item table and the declaration of what is real and what is made. Of units that move the
        templates are those at rest, before the movement; amplitude and channel of each true
        spike are those of its moment.

    Raises
    ------
    BadArgumentError
        No units, or options outside their limits.
    BadMetadataError, BadSamplesError
        A background or unit that cannot be used.

    Examples
    --------
    >>> tune, report = split_by_animal(load_cellexplorer(data))        # doctest: +SKIP
    >>> units = choose(report, 12, np.random.default_rng(0))           # doctest: +SKIP
    >>> made = build_hybrid(units, load_locust(data), grid_um(32), seed=0)  # doctest: +SKIP
    """
    options = HybridOptions() if options is None else options
    if not units or not duration_s > 0:
        raise BadArgumentError(
            "at least one unit and a duration above 0 s",
            f"{len(units)} units, {duration_s} s",
            "Choose units with `choose`.",
        )
    position = np.asarray(position_um, dtype=np.float64)
    # one stream of randomness per purpose, so that a change in one leaves the others alone
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    n_samples = round(duration_s * options.rate_hz)
    level_uv, noise, real = _background(background, position, n_samples, streams[0], options)
    bed = Bed(background, real, level_uv, len(position), duration_s)
    placed = place_units(units, position, bed, streams[1:], options)
    declaration = declare(placed, bed, options)
    blocks = _added(noise, placed, round(_BLOCK_S * options.rate_hz))
    kept = collect(blocks, (n_samples, len(position)), path)
    clock = Clock.regular(options.rate_hz, n_samples)
    recording = recording_of(kept, probe_table(position), clock, declaration, path=path)
    templates = _templates(placed, level_uv)
    author, packages = _author()
    truth = truth_of(_spikes(placed), templates, recording, author, seed, packages)
    items = true_items(truth, templates, recording.signal)
    return GroundTruth(recording, truth, items, declaration)


def _author() -> tuple[Author, dict[str, str]]:
    import scipy

    from nissl import __version__

    packages = {"numpy": np.__version__, "scipy": scipy.__version__}
    return Author("model", "spikes/hybrid", __version__), packages


def _background(
    background: Background,
    position_um: npt.NDArray[np.float64],
    n_samples: int,
    rng: np.random.Generator,
    options: HybridOptions,
) -> tuple[float, Iterator[npt.NDArray[np.float32]], bool]:
    """Level in uV, blocks in uV, and whether they are real."""
    same = background.samples.shape[1] == len(position_um)
    real = same if options.surrogate is None else not options.surrogate
    if real and not same:
        raise BadArgumentError(
            f"a real background of {len(position_um)} channels, as the probe",
            f"{background.samples.shape[1]} channels",
            "Use a surrogate (surrogate=True), or a background of as many channels.",
        )
    if real:
        blocks = real_blocks(background, n_samples, options.rate_hz, rng)
        level = background.level()
    else:
        model = Surrogate.fit(background)
        blocks = model.blocks(position_um, n_samples, options.rate_hz, rng)
        level = model.level()
    level_uv = level if options.noise_uv is None else options.noise_uv
    gain = np.float32(level_uv / level)
    return level_uv, (block * gain for block in blocks), real


def _added(
    noise: Iterator[npt.NDArray[np.float32]], placed: Sequence[Placed], n_block: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Background blocks with the spikes whose waveforms reach into them."""
    start = 0
    for large in noise:
        for first in range(0, len(large), n_block):
            block = np.array(large[first : first + n_block], dtype=np.float32)
            for unit in placed:
                _insert(block, start, unit)
            start += len(block)
            yield block


def _insert(block: npt.NDArray[np.float32], start: int, placed: Placed) -> None:
    before, width = placed.print_uv.n_before, placed.print_uv.waveforms_uv.shape[1]
    onset = placed.sample - before - start
    first, last = np.searchsorted(onset, [-width + 1, len(block)])
    moves = np.flatnonzero(np.diff(placed.displacement_um[first:last])) + 1
    for part in np.split(np.arange(first, last), moves):
        if not part.size:
            continue
        shapes = placed.moving.at(float(placed.displacement_um[part[0]])).waveforms_uv
        for k in part.tolist():
            a = int(onset[k])
            left, right = max(a, 0), min(a + width, len(block))
            wave = shapes[placed.phase[k], left - a : right - a]
            block[left:right] += wave * np.float32(placed.scale * placed.factor[k])


def _templates(placed: Sequence[Placed], level_uv: float) -> Templates:
    """Stack the units' templates, padded with zeros to a common window."""
    before = max(p.print_uv.n_before for p in placed)
    after = max(p.print_uv.waveforms_uv.shape[1] - p.print_uv.n_before for p in placed)
    n_channels = placed[0].print_uv.waveforms_uv.shape[2]
    out = np.zeros((len(placed), before + after, n_channels), dtype=np.float32)
    for row, p in zip(out, placed, strict=True):
        first = before - p.print_uv.n_before
        wave = p.print_uv.template_uv * np.float32(p.scale)
        row[first : first + len(wave)] = wave
    place = np.asarray([p.place_um[:2] for p in placed])
    return Templates(out, before, place, level_uv)


def _spikes(placed: Sequence[Placed]) -> Spikes:
    unit = np.repeat(np.arange(len(placed)), [p.ticks.size for p in placed])
    amplitude, channel = zip(*(_seen(p) for p in placed), strict=True)
    sample = np.concatenate([p.sample for p in placed])
    return Spikes(
        sample,
        unit.astype(np.int64),
        np.concatenate(amplitude).astype(np.float32),
        np.concatenate(channel) if any(np.any(p.displacement_um) for p in placed) else None,
    )


def _seen(placed: Placed) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Amplitude of every spike on the channel that is the unit's best there and then."""
    amplitude = np.zeros(placed.ticks.size, dtype=np.float32)
    channel = np.zeros(placed.ticks.size, dtype=np.int64)
    for displacement in np.unique(placed.displacement_um).tolist():
        mine = placed.displacement_um == displacement
        centre = placed.moving.at(displacement).waveforms_uv[:, placed.print_uv.n_before]
        best = int(np.argmax(np.abs(centre[N_PHASES // 2])))
        size = centre[placed.phase[mine], best] * np.float32(placed.scale)
        amplitude[mine] = size * placed.factor[mine]
        channel[mine] = best
    return amplitude, channel
