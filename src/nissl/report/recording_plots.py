"""Pictures of a recording and of all its units together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.labels import ItemTable, LabelSet
from nissl.report.theme import BLUE, CYCLE, GREEN, INK, MUTED, ORANGE, RED, figure, to_svg

_MAX_DOTS = 60_000
_LEAST_UM = 10.0  # a stable recording shall look stable


def probe_map(items: ItemTable, bad: dict[str, str]) -> str:
    """Contacts, bad channels and the place of each unit; dot area grows with its rate."""
    contacts = np.asarray(items.context["position_um"], dtype=float)
    ids = [str(c) for c in items.context["channel_ids"]]
    marked = np.array([c in bad for c in ids])
    x, y = (items.table.column(c).to_numpy() for c in ("x_um", "y_um"))
    rate = items.table.column("firing_rate_hz").to_numpy()
    with figure(3.6, 4.6) as (made, axes):
        axes.scatter(*contacts[~marked].T, marker="s", s=16, color=MUTED, alpha=0.45, lw=0)
        if marked.any():
            axes.scatter(*contacts[marked].T, marker="x", s=30, color=RED, label="bad channel")
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
        size = 25 + 12 * np.sqrt(np.nan_to_num(rate))
        axes.scatter(x, y, s=size, color=BLUE, alpha=0.75, edgecolors=INK, linewidths=0.5)
        for item, xi, yi in zip(items.items.tolist(), x, y, strict=True):
            if np.isfinite(xi) and len(x) <= 60:
                axes.annotate(str(item), (xi, yi), fontsize=7, ha="center", va="center", color=INK)
        span = np.ptp(contacts[:, 0])
        pad = max(20.0, 0.15 * span)
        axes.set_xlim(contacts[:, 0].min() - pad, contacts[:, 0].max() + pad)
        axes.set_xlabel("across (µm)")
        axes.set_ylabel("along the probe (µm)")
        if np.ptp(contacts[:, 1]) < 6 * max(span, 60):
            axes.set_aspect("equal", adjustable="box")
        return to_svg(made, f"Probe map with {len(ids)} contacts and {len(x)} units")


def noise_by_channel(noise_uv: npt.NDArray[Any], ids: list[str], bad: dict[str, str]) -> str:
    """Noise level of each channel, bad ones marked."""
    colours = [RED if c in bad else BLUE for c in ids]
    with figure(4.4, 2.0) as (made, axes):
        axes.scatter(np.arange(len(ids)), noise_uv, color=colours, s=14)
        axes.set_ylim(0, 1.15 * max(float(np.nanmax(noise_uv)), 1e-3))
        axes.set_xlabel("channel")
        axes.set_ylabel("noise (µV, MAD)")
        axes.set_xlim(-1, len(ids))
        return to_svg(made, "Noise level of each channel in microvolts")


def raster(labels: LabelSet, items: ItemTable, rate_hz: float, duration_s: float) -> str:
    """Spikes of all units in time, sorted by depth, over the population's rate."""
    depth = np.nan_to_num(items.table.column("y_um").to_numpy())
    order = np.argsort(depth, kind="stable")
    row_of = {int(items.items[k]): row for row, k in enumerate(order)}
    item, t_s = labels.column("item"), labels.column("sample") / rate_hz
    step = max(1, item.size // _MAX_DOTS)
    rows = np.array([row_of.get(int(i), -1) for i in np.unique(item)])
    rows = rows[np.searchsorted(np.unique(item), item)]
    with figure(5.8, 3.6, nrows=2, sharex=True, height_ratios=[3, 1]) as (made, (top, bottom)):
        colour = [CYCLE[r % len(CYCLE)] for r in rows[::step]]
        top.scatter(
            t_s[::step], rows[::step], c=colour, s=14, marker="|", linewidths=0.7, rasterized=True
        )
        top.set_ylabel("units by depth")
        top.set_ylim(-1, len(order))
        bins = np.linspace(0, max(duration_s, 1e-3), 150)
        counts, _ = np.histogram(t_s, bins)
        bottom.fill_between(bins[:-1], counts / np.diff(bins), step="post", color=MUTED, alpha=0.6)
        bottom.set_ylabel("spikes/s")
        bottom.set_xlabel("time (s)")
        bottom.set_xlim(0, duration_s)
        part = f", every {step}th spike" if step > 1 else ""
        return to_svg(made, f"Raster of {item.size} spikes{part}")


def quality_overview(items: ItemTable, doubtful: set[int]) -> str:
    """Signal-to-noise ratio against refractory violations; units with warnings marked."""
    snr = items.table.column("snr").to_numpy()
    violations = items.table.column("rp_contamination").to_numpy()
    marked = np.array([int(i) in doubtful for i in items.items])
    with figure(4.4, 3.2) as (made, axes):
        for mask, colour, marker, label in (
            (~marked, GREEN, "o", "nothing doubtful"),
            (marked, ORANGE, "^", "see its findings"),
        ):
            axes.scatter(
                snr[mask], 100 * violations[mask], color=colour, marker=marker, s=34, label=label
            )
        for i, x, y in zip(items.items.tolist(), snr, 100 * violations, strict=True):
            if np.isfinite(x) and np.isfinite(y) and len(snr) <= 60:
                axes.annotate(str(i), (x, y), xytext=(4, 3), textcoords="offset points", fontsize=7)
        axes.set_xlabel("signal-to-noise ratio")
        axes.set_ylabel("contamination (%)")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=2)
        return to_svg(made, "Signal-to-noise ratio against contamination of each unit")


def snippet(signal: Signal, labels: LabelSet, items: ItemTable, *, width_s: float = 0.06) -> str:
    """Raw traces around the busiest moment, with the spikes found in it marked."""
    n = min(int(width_s * signal.rate_hz), signal.n_samples)
    samples = labels.column("sample")
    middle = _busiest(samples, n)
    start = int(np.clip(middle - n // 2, 0, signal.n_samples - n))
    inside = [p for p in signal.clock.split(start, start + n)]
    start, stop = max(inside, key=lambda p: p[1] - p[0])
    shown = _channels_to_show(signal, items)
    traces = signal.read(start, stop, shown)
    traces -= np.median(traces, axis=0)
    step = 1.2 * max(float(np.percentile(np.abs(traces), 99.7)), 1e-3)
    t_ms = np.arange(stop - start) / signal.rate_hz * 1e3
    with figure(5.8, 3.6) as (made, axes):
        for row, trace in enumerate(traces.T):
            axes.plot(t_ms, trace + row * step, color=MUTED, lw=0.6)
        _mark_spikes(axes, signal, labels, items, (start, stop), shown, step)
        axes.set_yticks(np.arange(len(shown)) * step, [signal.channels.ids[c] for c in shown])
        axes.set_ylabel("channel")
        axes.set_xlabel(f"ms from {start / signal.rate_hz:.2f} s")
        axes.set_xlim(0, t_ms[-1] if t_ms.size else 1)
        return to_svg(made, "Raw traces with the spikes that were found")


def _busiest(samples: npt.NDArray[Any], n: int) -> int:
    if samples.size == 0:
        return n // 2
    counts = np.searchsorted(samples, samples + n) - np.arange(samples.size)
    return int(samples[int(np.argmax(counts))] + n // 2)


def _channels_to_show(signal: Signal, items: ItemTable) -> list[int]:
    best = [int(c) for c in items.table.column("channel").to_numpy() if c >= 0]
    chosen = sorted(set(best))[:12] or list(range(min(8, signal.n_channels)))
    depth = np.nan_to_num(signal.channels.position_um[:, 1])
    return sorted(chosen, key=lambda c: float(depth[c]))


def _mark_spikes(
    axes: Any,
    signal: Signal,
    labels: LabelSet,
    items: ItemTable,
    window: tuple[int, int],
    shown: list[int],
    step: float,
) -> None:
    start, stop = window
    sample, item = labels.column("sample"), labels.column("item")
    channel = dict(
        zip(items.items.tolist(), items.table.column("channel").to_pylist(), strict=True)
    )
    rows = {c: r for r, c in enumerate(shown)}
    for index in range(int(np.searchsorted(sample, start)), int(np.searchsorted(sample, stop))):
        unit = int(item[index])
        row = rows.get(channel.get(unit, -1))
        if row is None:
            continue
        t_ms = (sample[index] - start) / signal.rate_hz * 1e3
        colour = CYCLE[unit % len(CYCLE)]
        axes.plot([t_ms], [row * step + 0.45 * step], marker="v", ms=5, color=colour)
        axes.annotate(
            str(unit), (t_ms, row * step + 0.5 * step), fontsize=6, ha="center", color=INK
        )


def drift(motion: dict[str, Any]) -> str:
    """Estimated motion of the tissue along the probe."""
    t_s, moved = np.asarray(motion["time_s"]), np.atleast_2d(np.asarray(motion["displacement_um"]))
    moved = moved if moved.shape[-1] == t_s.size else moved.T
    with figure(5.4, 2.2) as (made, axes):
        for k, line in enumerate(moved):
            axes.plot(t_s, line, color=CYCLE[k % len(CYCLE)], lw=1.2)
        axes.axhline(0, color=MUTED, lw=0.6)
        most = max(1.1 * float(np.nanmax(np.abs(moved), initial=0.0)), _LEAST_UM)
        axes.set_ylim(-most, most)
        axes.set_xlabel("time (s)")
        axes.set_ylabel("motion (µm)")
        return to_svg(made, "Estimated motion along the probe in micrometres")
