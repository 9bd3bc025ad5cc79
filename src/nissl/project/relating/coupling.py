"""The coupling loop on sources: rounds kept on the disk, a verdict, and what to record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from nissl.align.coupling.actions import outlook
from nissl.align.coupling.judging import Verdict, judge
from nissl.align.coupling.log import Log, fingerprint, key_of
from nissl.align.coupling.rounds import begin, couple
from nissl.align.coupling.scores import Bench, How
from nissl.align.coupling.split import Parts, split
from nissl.align.coupling.state import Options, Round, State
from nissl.labels.replay import Rule
from nissl.project.relating.populations import Populations, populations
from nissl.project.source import Source
from nissl.project.writing import write_facts, write_table
from nissl.run.progress import Progress, Silent
from nissl.store import Store

STAGE = "coupling"
N_RECORD = 5


@dataclass(frozen=True)
class Wish:
    """A condition of a source to record more windows of.

    Parameters
    ----------
    source, condition : str
    windows : int
        In use now.
    gain : float
        Expected of one more, of the mean skill of pairs.
    """

    source: str
    condition: str
    windows: int
    gain: float


@dataclass(frozen=True, eq=False)
class Coupled:
    """What the loop came to.

    Parameters
    ----------
    rounds : tuple of Round
    verdict : tuple of Verdict
        Of each ordered pair, on the sealed part.
    wishes : tuple of Wish
        What to record next, the best first.
    apart : tuple of str
        Pairs that do not match, in sentences.
    files : tuple of Path
    """

    rounds: tuple[Round, ...]
    verdict: tuple[Verdict, ...]
    wishes: tuple[Wish, ...]
    apart: tuple[str, ...]
    files: tuple[Path, ...]


def couple_sources(
    store: Store,
    sources: Sequence[Source],
    windows: Sequence[str | Path],
    *,
    bin_s: float = 0.05,
    duration_s: float | None = None,
    first: int = 2,
    step: int = 4,
    budget: int | None = None,
    enough: float = 0.95,
    axes: int = 8,
    smooth_s: float = 0.06,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
    progress: Progress | None = None,
    told: Callable[[Round], None] | None = None,
) -> Coupled:
    """Run the loop; see `nissl.project.Project.couple`."""
    found = populations(
        store, tuple(sources), windows, bin_s=bin_s, duration_s=duration_s, resolve=resolve
    )
    parts = split(found.fragments, np.random.default_rng(seed))
    bench = Bench(parts.fit, parts.choose)
    start = begin(bench, per_condition=first, how=How(n_axes=axes, smooth_s=smooth_s))
    options = Options(step=step, budget=budget, enough=enough, seed=seed)
    folder = Path(out) if out is not None else store.path / "reports" / "coupling"
    log = Log(folder, key_of(parts, start, options))
    _run(bench, start, options, log, progress or Silent(), told)
    test = _sealed_prints(found, parts)
    kept = log.verdict(test)
    if kept is None:
        verdict = judge(parts, log.rounds[0], log.rounds[-1], np.random.default_rng([seed, 1]))
        log.close([v.to_json() for v in verdict], test)
    else:
        verdict = [Verdict(**held) for held in kept]
    last = log.rounds[-1].state
    wishes = _wishes(bench, log.rounds[-1], found.conditions, seed)
    apart = tuple(last.apart.values())
    files = _written(folder, log, verdict, wishes, apart, found, options, bin_s, windows)
    return Coupled(log.rounds, tuple(verdict), wishes, apart, (log.path, *files))


def _run(
    bench: Bench,
    start: State,
    options: Options,
    log: Log,
    bar: Progress,
    told: Callable[[Round], None] | None,
) -> None:
    """Rounds until the loop stops, each kept before the next begins."""
    total = sum(len(n) for n in bench.numbers) - sum(len(u) for u in start.used)
    if options.budget is not None:
        total = min(total, options.budget)
    # At most that many: where the loop stops is not known before.
    bar.start(STAGE, float(total), "windows")
    used = sum(len(u) for u in start.used)
    for one in log.rounds:
        if told is not None:
            told(one)
        bar.advance(STAGE, one.n_windows - used)
        used = one.n_windows
    for one in couple(bench, start, options, log.rounds):
        log.append(one)
        if told is not None:
            told(one)
        bar.advance(STAGE, one.n_windows - used)
        used = one.n_windows
    bar.finish(STAGE)


def _sealed_prints(found: Populations, parts: Parts) -> list[str]:
    """Digests by which the test part is known without opening it: the whole and the rest of it."""
    return [fingerprint(f) for f in (*found.fragments, *parts.fit, *parts.choose)]


def _wishes(bench: Bench, last: Round, names: tuple[str, ...], seed: int) -> tuple[Wish, ...]:
    """Windows to record next, had one as many free ones of each condition as one liked."""
    state = last.state
    if not state.live:
        return ()
    ahead = outlook(bench, state.windows, state.live, np.random.default_rng([seed, 2]))
    gains = ahead.next_window() / len(state.live)
    order = np.argsort(-gains, axis=None, kind="stable")[:N_RECORD]
    out = []
    for s, c in zip(*np.unravel_index(order, gains.shape), strict=True):
        if gains[s, c] > 0:
            out.append(
                Wish(
                    bench.fit[s].name,
                    names[int(bench.names[c])],
                    int(ahead.counts[s, c]),
                    float(gains[s, c]),
                )
            )
    return tuple(out)


def _written(
    folder: Path,
    log: Log,
    verdict: Sequence[Verdict],
    wishes: Sequence[Wish],
    apart: Sequence[str],
    found: Populations,
    options: Options,
    bin_s: float,
    windows: Sequence[str | Path],
) -> tuple[Path, ...]:
    """Tables, facts, a picture and a page."""
    from nissl.report.coupling_plots import coupling_page, coupling_plot

    rows = [
        {
            "round": r.number,
            "kind": r.kind,
            "expected": r.expected,
            "error": r.error,
            "gain": r.gain,
            "skill": r.skill,
            "windows": r.n_windows,
            "reason": r.reason,
            "says": r.says,
        }
        for r in log.rounds
    ]
    tables = write_table(pa.Table.from_pylist(rows), folder, "rounds")
    verdicts = write_table(pa.Table.from_pylist([v.to_json() for v in verdict]), folder, "verdict")
    last = log.rounds[-1].state
    names = [f.name for f in found.fragments]
    facts = write_facts(
        {
            "sources": names,
            "fingerprints": [p.source.fingerprint for p in found.populations],
            "label_sets": [list(own) for own in found.labels],
            "windows": [Path(w).name for w in windows],
            "bin_s": bin_s,
            "options": vars(options),
            "rounds": log.path.name,
            "settings": {f"{names[i]}~{names[j]}": vars(h) for (i, j), h in last.how.items()},
            "apart": list(apart),
            "record_next": [vars(w) for w in wishes],
        },
        folder,
    )
    picture, page = folder / "coupling.png", folder / "coupling.md"
    coupling_plot(log.rounds, verdict, picture)
    coupling_page(log.rounds, verdict, wishes, apart, page)
    return (*tables, *verdicts, facts, picture, page)


__all__ = ["Coupled", "Wish", "couple_sources"]
