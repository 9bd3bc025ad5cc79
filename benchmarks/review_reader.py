"""A reader works through a sorting from a phy folder until a stated error budget is met.

The sorting is simulated (see `_simulated_units`), written as a phy folder and imported like any
other. A simulated reader with known accuracy and realistic times answers what the queue asks;
after the first answers the model learns from them, and again where its audit has failed. Told are
decisions and minutes until nothing is left to ask, against deciding every unit, and the true share
of wrong classes at the end.

    python benchmarks/review_reader.py --out build/benchmarks/review_reader [--quick]
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from _common import COLOURS, arguments, table
from _simulated_units import CLASSES, made_sorting
from nissl.errors import NisslError
from nissl.io import EXPORTERS
from nissl.labels import Edit, EditKind
from nissl.project import open_project
from nissl.project.reviewing import open_room, prepare
from nissl.review.audited import acceptance, residual_error
from nissl.review.auditing import choose_budget, extend
from nissl.review.loop import learn, use
from nissl.review.queue import Entry, Queue, build
from nissl.review.room import Room
from nissl.review.simulated import SimulatedReader
from nissl.review.timing import ambiguity_of
from nissl.tasks import Dossier

LEARN_EVERY = 60
READER = "simulated reader"


@dataclass(frozen=True)
class Item:
    """One unit before the reader: its true class, how hard it is, when it comes."""

    entry: Entry
    truth: str
    doubt: float
    order: int
    now_s: float


def main() -> None:
    """Run all seeds and write results.json, table.md and review_reader.png."""
    parser = arguments("review_reader", __doc__.split("\n", 1)[0])
    parser.add_argument("--units", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.05, 0.10, 0.20])
    parser.add_argument("--accuracy", type=float, default=0.97)
    args = parser.parse_args()
    if args.quick:
        args.units, args.seeds, args.budgets = 60, 1, [0.2]
    args.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for seed in range(args.seeds):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            truth = write_phy(folder / "phy", seed, args.units, 20.0 if args.quick else 60.0)
            for budget in args.budgets:
                study = folder / f"study-{budget}"
                rows.append(play(folder / "phy", study, truth, seed, budget, args.accuracy))
                print(json.dumps(rows[-1]))
                shutil.rmtree(study)
    results = {"rows": rows, "units": args.units, "reader_accuracy": args.accuracy}
    (args.out / "results.json").write_text(json.dumps(results, indent=1))
    (args.out / "table.md").write_text(summary(rows))
    plot(rows, args.out)
    print(summary(rows))


def write_phy(folder: Path, seed: int, n_units: int, duration_s: float) -> dict[int, str]:
    """Write a simulated sorting of `n_units` units as a phy folder; returns the true classes."""
    recording, labels, items, classes = made_sorting(
        seed, n_units=n_units, n_neurons=n_units // 2, n_channels=32, duration_s=duration_s
    )
    facts = {"name": "simulated", "format": "memory", "path": "", "fingerprint": "", "streams": {}}
    dossier = Dossier(labels, items, recording, "ap", source=facts)
    EXPORTERS.get("phy").write(dossier, folder)
    return {int(i): CLASSES[c] for i, c in zip(labels.items, classes, strict=True)}


def play(
    phy: Path, study: Path, truth: dict[int, str], seed: int, budget: float, accuracy: float
) -> dict[str, Any]:
    """One reader, one project, one budget."""
    rng = np.random.default_rng([seed, int(budget * 1000)])
    reader = SimulatedReader.accurate(READER, len(CLASSES), accuracy)
    clock = time.time() - 10 * 3600
    with open_project(study) as project:
        project.add(phy, subject="simulated")
        room = open_room(project.store)
        choose_budget(project.store, "spikes", budget, by=READER)
        prepare(room, seed=seed)
        desk = room.desks[0]
        # how hard a unit is belongs to the unit: both ways of working meet the same
        first = ambiguity_of(np.nan_to_num(desk.proposals.probabilities, nan=1 / len(CLASSES)))
        doubt = dict(zip(desk.item_ids.tolist(), first.tolist(), strict=True))
        seconds, n, learned, asked = 0.0, 0, 0, 0
        while True:
            queue = build(room, READER, rng, limit=20)
            if not queue.entries or queue.left <= 0:
                break
            for entry in next_entries(queue):
                item = Item(entry, truth[entry.item], doubt[entry.item], n, clock + seconds)
                took = _answer(room, item, reader, rng)
                seconds, n = seconds + took, n + 1
                if n - asked == LEARN_EVERY:
                    break
            if n - asked >= LEARN_EVERY and (not learned or _failed(room)):
                learned, asked = learned + _learn(room, seed), n
        verdict = acceptance(room, "spikes")
        every = float(reader.pace.draw_s(first, np.arange(len(first)), rng).sum())
        wrong = _wrong(room, truth)
        return {
            "seed": seed,
            "budget": budget,
            "units": len(truth),
            "decisions": n,
            "minutes": seconds / 60,
            "decisions_all": len(truth),
            "minutes_all": every / 60,
            "automatic": queue.automatic,
            "acceptance_on": bool(verdict is not None and verdict.on),
            "reason": "" if verdict is None else verdict.reason,
            "models_learned": learned,
            "error_automatic": wrong[0],
            "error_total": wrong[1],
            "desk": desk.key[:12],
        }


def next_entries(queue: Queue) -> list[Entry]:
    """What is answered before the queue is fetched again: as in the page, what is on record."""
    on_record = list(takewhile(lambda entry: entry.question is not None, queue.entries))
    return on_record or list(queue.entries[:1])


def _answer(room: Room, item: Item, reader: SimulatedReader, rng: np.random.Generator) -> float:
    entry, desk = item.entry, room.desk(item.entry.desk)
    code = np.asarray([CLASSES.index(item.truth)])
    answer, took = reader.answer(code, np.asarray([item.doubt]), rng, order=item.order)
    label = CLASSES[int(answer[0])]
    with room.reading(entry.desk, READER) as reading:
        row = reading.class_items()[entry.item]
    kind = EditKind.ACCEPT if label == entry.proposed and not entry.blind else EditKind.RELABEL
    edit = Edit(
        uuid4(),
        kind,
        desk.bases[-1],
        (row,),
        READER,
        item.now_s,
        {} if kind is EditKind.ACCEPT else {"label": label},
        took_s=float(took[0]),
    )
    room.decide([edit], question=entry.question)
    return float(took[0])


def _failed(room: Room) -> bool:
    """Whether the audit is over without acceptance: another model would waste a running one."""
    left, verdict = residual_error(room, "spikes"), acceptance(room, "spikes")
    if left is None or verdict is None:
        return True
    return not (verdict.on or left.pending or extend(room, "spikes"))


def _learn(room: Room, seed: int) -> int:
    try:
        model = learn(room.store, "curation", seed=seed)
    except NisslError as error:
        print(f"no model: {error.expected}: {error.got}")
        return 0
    use(room.store, "curation", model.digest, by=READER)
    prepare(room, seed=seed)
    return 1


def _wrong(room: Room, truth: dict[int, str]) -> tuple[float | None, float]:
    """True share of wrong classes among the automatically accepted, and among all."""
    desk = room.desks[0]
    with room.reading(desk.key, READER) as reading:
        states, said = reading.states(), {i: reading.label(i) for i in reading.items.tolist()}
    automatic = [i for i, state in states.items() if state == "untouched"]
    bad = [said[i] != truth[i] for i in automatic]
    return (
        float(np.mean(bad)) if bad else None,
        float(np.mean([said[i] != truth[i] for i in said])),
    )


def summary(rows: list[dict[str, Any]]) -> str:
    """Markdown table, one line per seed and budget."""
    head = ("budget", "seed", "decisions", "minutes", "all: decisions", "all: minutes")
    head = (*head, "automatic", "wrong among automatic", "wrong in all")
    lines = []
    for row in rows:
        gone = row["error_automatic"]
        lines.append(
            (
                f"{row['budget']:.0%}",
                str(row["seed"]),
                str(row["decisions"]),
                f"{row['minutes']:.1f}",
                str(row["decisions_all"]),
                f"{row['minutes_all']:.1f}",
                str(row["automatic"]) if row["acceptance_on"] else "off",
                "-" if gone is None else f"{gone:.1%}",
                f"{row['error_total']:.1%}",
            )
        )
    return table(head, lines)


def plot(rows: list[dict[str, Any]], out: Path) -> None:
    """Minutes with the queue against minutes for every unit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    budgets = sorted({row["budget"] for row in rows})
    for index, budget in enumerate(budgets):
        mine = [row for row in rows if row["budget"] == budget]
        for name, shift in (("minutes_all", -0.18), ("minutes", 0.18)):
            colour = COLOURS[0] if name == "minutes" else COLOURS[1]
            axes.plot(
                np.full(len(mine), index + shift),
                [row[name] for row in mine],
                "o",
                color=colour,
                label={"minutes": "to the budget", "minutes_all": "every unit"}[name]
                if index == 0
                else None,
            )
    axes.set_xticks(range(len(budgets)), [f"{budget:.0%}" for budget in budgets])
    axes.set_xlabel("error budget of what is accepted without review")
    axes.set_ylabel("minutes of reading")
    axes.set_ylim(0)
    axes.legend()
    figure.savefig(out / "review_reader.png", dpi=150)


if __name__ == "__main__":
    main()
