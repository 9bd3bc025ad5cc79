"""Checklists of claims that are true and false by construction."""

from __future__ import annotations

import numpy as np
import pytest

from nissl.align.errormap.windowed import of_windows
from nissl.align.evidence import checks
from nissl.align.evidence.checklist import Checklist, checklist, summary
from nissl.align.evidence.claim import Claim, Drive, Intervention, Recorded, of_json
from nissl.align.evidence.item import Item, corrected, fewest, flipped, majority
from nissl.align.evidence.outside import Basis, Driven, Switched, basis, drives, intervention
from nissl.align.evidence.simulate import simulate_recordings, simulate_windows
from nissl.align.evidence.transfer import Halves, halves, transfers
from nissl.align.fragments import About
from nissl.errors import BadArgumentError


def claim_of(names: list[str], **more: object) -> Claim:
    return Claim("code", "coded alike", tuple(Recorded(n, "trials") for n in names), **more)  # type: ignore[arg-type]


def judged(seed: int, *, rule: str = "linear", **how: object) -> Checklist:
    fragments = simulate_recordings(np.random.default_rng(seed), **how)  # type: ignore[arg-type]
    claim = claim_of([f.name for f in fragments], rule=rule)
    return checklist(claim, fragments, np.random.default_rng(seed), permutations=59)


def verdicts(found: Checklist) -> dict[str, str]:
    return {i.name: i.verdict for i in found.items}


def test_a_shared_code_is_supported_wherever_it_can_be_tested() -> None:
    found = judged(1, n_subjects=7, n_days=1, axes=3)
    said = verdicts(found)
    for name in ("shared", "individuals", "conditions", "axes", "geometry"):
        assert said[name] == "supported", found[name].says
    assert said["days"] == said["intervention"] == said["drives"] == "not testable"
    assert found["axes"].facts["axes"] <= 4
    assert found["shared"].value < np.mean(found["shared"].facts["ceiling"])
    assert "of 9 items" in summary(found)


def test_nothing_is_supported_of_recordings_that_share_nothing() -> None:
    said = verdicts(judged(3, shared="none", n_subjects=6, n_days=1))
    tested = ("shared", "individuals", "conditions", "axes", "geometry")
    assert all(said[name] != "supported" for name in tested)


def supported(shared: str, seeds: range, names: tuple[str, ...], **how: object) -> int:
    found = [judged(seed, shared=shared, n_days=1, axes=3, **how) for seed in seeds]
    return sum(each[name].verdict == "supported" for each in found for name in names)


def test_false_claims_are_seldom_supported() -> None:
    names = ("shared", "individuals", "conditions", "axes", "geometry")
    assert supported("none", range(10, 14), names, n_subjects=5) <= 1


@pytest.mark.slow
def test_false_claims_are_supported_in_one_of_twenty_and_true_ones_are() -> None:
    names = ("shared", "individuals", "conditions", "axes", "geometry")
    seeds = range(20)
    assert supported("none", seeds, names, n_subjects=6) <= 0.05 * 20 * len(names)
    assert supported("half of individuals", seeds, ("individuals",), n_subjects=8) <= 3
    assert supported("half of conditions", seeds, ("conditions",), n_subjects=6) <= 3
    assert supported("all", seeds, names, n_subjects=7) >= 0.8 * 20 * len(names)


def test_days_are_not_individuals() -> None:
    found = judged(2, shared="individual", n_subjects=3, n_days=3, axes=3)
    assert found["days"].verdict == "supported", found["days"].says
    assert found["individuals"].verdict == "not testable"
    assert str(fewest()) in found["individuals"].needs
    two = judged(2, n_subjects=1, n_days=2, axes=3)
    assert two["shared"].n == 2
    assert two["days"].verdict == two["individuals"].verdict == "not testable"
    assert (two["days"].n, two["individuals"].n) == (2, 1)
    assert two["individuals"].units == "1 individual"


def test_the_same_seed_gives_the_same_and_no_window_is_used_twice() -> None:
    first, second = (judged(5, n_subjects=2, n_days=1) for _ in range(2))
    assert first.table().equals(second.table()) or str(first.table()) == str(second.table())
    for parts in first.split.values():
        assert not set(parts["fit"]) & set(parts["test"])
        assert len(parts["fit"]) == len(parts["test"]) == 48


def test_what_was_fitted_does_not_see_the_test_half() -> None:
    """Another second half of the target changes errors, and no map: gains of parts stay linear."""
    fragments = simulate_recordings(np.random.default_rng(0), n_subjects=2, n_days=1)
    data = halves(of_windows(fragments))
    rng = np.random.default_rng(0)
    full = transfers(data, rng)
    assert np.isnan(np.diagonal(full.errors[..., -1], axis1=0, axis2=1)).all()
    # by hand: the same map, fold by fold
    x1, x2 = data.first[0], data.second[0]
    axes = np.linalg.svd(x1, full_matrices=False)[2][:8].T
    x1, x2 = x1 @ axes, x2 @ axes
    left, rest = data.fold == 0, data.fold != 0
    mean = x1[rest].mean(axis=0)
    known, new = x1[rest] - mean, x2[left] - mean
    y, z = data.first[1][rest].copy(), data.second[1][left].copy()
    for k in np.unique(data.step):
        own = y[data.step[rest] == k].mean(axis=0)
        y[data.step[rest] == k] -= own
        z[data.step[left] == k] -= own
    gram = known.T @ known
    gram += 0.3 * np.trace(gram) / 8 * np.eye(8)
    weights = np.linalg.solve(gram, known.T @ y)
    assert full.errors[0, 1, 0, -1] == pytest.approx(((z - new @ weights) ** 2).sum())
    turned = transfers(data, rng, rule="rotation", n_null=3)
    assert turned.skill()[0, 1] <= 1
    assert turned.null.shape == (2, 2, 3, 12)


@pytest.mark.parametrize("rule", ["linear", "rotation"])
@pytest.mark.parametrize("apart", [True, False])
def test_orders_of_chance_that_change_nothing_give_the_errors_themselves(
    rule: str, apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same(data: Halves, n: int, rng: np.random.Generator) -> np.ndarray:
        return np.tile(np.arange(len(data.block)), (n, 1))

    monkeypatch.setattr("nissl.align.evidence.transfer.shuffles", same)
    fragments = simulate_recordings(np.random.default_rng(0), n_subjects=3, n_days=1, n_units=120)
    data = halves(of_windows(fragments))
    found = transfers(data, np.random.default_rng(0), rule=rule, n_null=2, apart=apart)
    off = ~np.eye(3, dtype=bool)
    assert found.null[off][:, 1] == pytest.approx(found.errors[off][:, :, -1])


def test_prevalence_needs_five_units_and_counts_them() -> None:
    assert fewest() == 5
    assert majority([0.01] * 5).p < 0.05 < majority([0.01] * 4).p
    half = majority([0.01] * 6 + [0.5] * 6)
    assert half.p > 0.3
    assert half.low < 0.5 < half.high


def test_correction_only_weakens() -> None:
    def item(p: float) -> Item:
        return Item("a", "?", "supported" if p <= 0.05 else "not supported", "so", p=p)

    out = corrected([item(0.04), item(0.6), item(0.001)])
    assert [i.verdict for i in out] == ["not supported", "not supported", "supported"]
    assert out[0].q == pytest.approx(0.06)


def switched(seed: int, effect: float, predicts: str, subject: str = "s", **how: bool) -> Switched:
    on, off, on_s, off_s = simulate_windows(np.random.default_rng(seed), effect=effect, **how)
    return Switched(f"source {seed}", subject, predicts, on, off, on_s, off_s)


def test_interventions_agree_contradict_or_are_confounded_with_time() -> None:
    rng = np.random.default_rng(0)
    assert intervention([switched(0, 1.5, "higher")], rng).verdict == "supported"
    against = intervention([switched(0, 1.5, "lower")], rng)
    assert against.verdict == "not supported"
    assert "lower was predicted" in against.says
    drift = intervention([switched(0, 1.5, "higher", blocked=True)], rng)
    assert drift.verdict == "not testable"
    many = [switched(k, 1.5, "higher", f"s{k}") for k in range(6)]
    assert intervention(many, rng).scope == "individuals"
    weak = [switched(k, 0.4, "higher", f"s{k}") for k in range(8)]
    assert intervention(weak, rng).verdict == "supported"
    none = [switched(k, 0.0, "higher", f"s{k}") for k in range(6)]
    assert intervention(none, rng).verdict == "not supported"


def test_signs_are_exchanged_exactly() -> None:
    rng = np.random.default_rng(0)
    assert flipped([1.0, 2.0, 3.0, 1.0, 2.0], rng) == 1 / 32
    assert flipped([-1.0] * 5, rng) == 1.0
    assert flipped(np.ones(13), rng) < 0.01


def test_a_direction_that_cannot_be_told_is_not_tested() -> None:
    def arrow(verdict: str) -> Driven:
        return Driven("a", "s", "x", "y", verdict, 0.1, 0.001, "nats")

    assert drives([arrow("arrow")]).verdict == "supported"
    assert drives([arrow("arrow"), arrow("no evidence")]).verdict == "not supported"
    unsure = drives([arrow("direction not identifiable")])
    assert unsure.verdict == "not testable"
    assert "intervention" in unsure.needs


def test_what_labels_rest_on() -> None:
    whole = About("mouse", "m1", "d1", "V1", "awake", "spikes")
    assert basis([Basis("a", whole, 1.0, 0.9, ("x",))]).verdict == "supported"
    poor = basis([Basis("a", About("mouse"), 0.0, float("nan"), ("x",))])
    assert poor.verdict == "not supported"
    assert "subject" in poor.needs
    assert "nissl review" in poor.needs


def test_claims_are_read_as_they_were_written() -> None:
    claim = claim_of(
        ["a", "b"],
        axes=3,
        interventions=(Intervention("a", "on.csv", "off.csv", "lower"),),
        drives=(Drive("a", "x", "y"),),
    )
    assert of_json(claim.to_json()) == claim
    assert of_json(claim.to_json()).digest == claim.digest
    assert claim_of(["a", "c"]).digest != claim_of(["a", "b"]).digest
    for bad in ({"rule": "any"}, {"axes": 0}, {"strange": 1}, {"sources": []}, {"name": "../x"}):
        with pytest.raises(BadArgumentError):
            of_json(claim.to_json() | bad)
    with pytest.raises(BadArgumentError, match="missing"):
        of_json({"name": "a", "sources": []})


def test_too_few_conditions_are_refused() -> None:
    fragments = simulate_recordings(
        np.random.default_rng(0), n_subjects=2, n_days=1, n_conditions=4
    )
    with pytest.raises(BadArgumentError, match="conditions"):
        halves(of_windows(fragments))


def test_ceilings_are_of_own_halves() -> None:
    fragments = simulate_recordings(np.random.default_rng(0), n_subjects=2, n_days=1)
    own = checks.ceilings(halves(of_windows(fragments)))
    assert (own > 0.4).all()
    assert (own < 1).all()
