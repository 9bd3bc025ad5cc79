"""The decoding benchmark never learns from what it scores, and its page says what it found."""

import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def trials(seed=0, n=48, wrong=False):
    from _decoding_data import Set

    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = rng.standard_normal((n, 3, 60))
    x[y == 1, 0] *= 3
    subject = np.array([f"s{k * 3 // n}" for k in range(n)])
    run = np.array([f"{s}r{k % 4 // 2}" for k, s in enumerate(subject)])
    return Set(x, (1 - y if wrong else y).astype(np.int64), subject, run, 64.0)


class Spy:
    """An estimator that remembers what it was taught."""

    def __init__(self):
        self.taught, self.asked = [], []

    def fit(self, x, y, *, rng):
        self.taught.append(x)
        return self

    def predict_proba(self, x):
        self.asked.append(x)
        return np.full((len(x), 2), 0.5)


def _overlap(spy):
    return any(
        np.any(np.all(a[:, None, 0] == b[None, :, 0], axis=2))
        for a, b in zip(spy.taught, spy.asked, strict=True)
    )


@pytest.mark.parametrize("same", [True, False])
def test_what_is_scored_is_never_taught(same, monkeypatch):
    import _decoding_ssvep as work
    from _decoding_other import by_run

    monkeypatch.setattr(work, "SSVEP_HZ", (10.0, 20.0))
    data, other = trials(), trials(seed=1)
    for run in (
        lambda spy: work.across(other, data, same, spy),
        lambda spy: by_run(other, data, same, spy, 0),
        lambda spy: work.within(data, spy),
    ):
        spy = Spy()
        run(spy)
        assert len(spy.taught) >= 3
        assert not _overlap(spy)
    spy = Spy()
    work.across(other, data, same, spy)
    assert all(len(x) == (32 if same else 48) for x in spy.taught)


def test_few_own_labels_are_of_every_class():
    from _decoding_ssvep import drawn

    y = np.repeat([0, 1, 2], 8)
    rows = drawn(y, 9, 3)
    assert np.bincount(y[rows]).tolist() == [3, 3, 3]
    assert np.array_equal(rows, drawn(y, 9, 3))


def test_letters_are_spelt_from_flashes():
    from _decoding_data import Set, Speller
    from _decoding_other import _letters

    rng = np.random.default_rng(0)
    code = np.concatenate([rng.permutation(12) + 1 for _ in range(15)])
    target = np.isin(code, [2, 9]).astype(np.int64)
    names = np.full(180, "r")
    flashes = Set(np.zeros((180, 1, 1)), target, names, names, 240.0)
    held = Speller(flashes, code, np.zeros(180, np.int64), {"r": "A"})
    p = np.where(target == 1, 0.6, 0.4)
    assert _letters(np.column_stack([1 - p, p]), held, 1) == 1.0
    assert _letters(np.column_stack([p, 1 - p]), held, 15) == 0.0


def test_the_page_is_what_the_results_say(tmp_path):
    from _decoding_page import markdown, plot

    docs = ROOT / "docs" / "benchmarks"
    results = json.loads((docs / "decoding.results.json").read_text())
    assert markdown(results, "decoding.png") == (docs / "decoding.md").read_text()
    plot(results, tmp_path / "decoding.png")
    assert (tmp_path / "decoding.png").stat().st_size > 10_000
    for name in ("ssvep", "transfer", "hands", "spelling", "reaching", "live"):
        assert results[name], f"the part {name} failed"
