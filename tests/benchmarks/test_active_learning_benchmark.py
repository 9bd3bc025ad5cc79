"""The active-learning benchmark asks fairly and counts right."""

from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def campaign(seed=0, budget=80):
    from _active_simulated import ridge, simulated
    from _active_work import Campaign, Items, Plan

    pool, test = (
        Items(part.features, part.features, part.truth)
        for part in simulated(np.random.default_rng(seed), 200, 100)
    )
    plan = Plan(start=20, budget=budget, audit=30)
    return Campaign(pool, test, 3, ridge, plan, np.random.default_rng(seed), seed)


def test_a_campaign_asks_each_item_once_and_never_the_audit():
    from _active_work import by_policy, run
    from nissl.review.policies import POLICIES

    here = campaign(budget=50)
    states = run(here, by_policy(POLICIES.get("margin")))
    assert [s["n"] for s in states] == [20, 40, 50]
    assert len(set(here.asked)) == 50
    assert not set(here.asked) & set(here.audit.tolist())
    assert here.labels()[here.asked].tolist() == here.pool.truth[here.asked].tolist()
    assert all(0 < c <= 1 for c in here.chance)
    assert np.all(np.isfinite([s["asked_error"] for s in states]))


def test_policies_of_one_seed_start_alike():
    first, second = campaign(3), campaign(3)
    assert first.asked == second.asked
    assert np.array_equal(first.audit, second.audit)


def test_the_bandit_learns_within_a_campaign():
    from _active_work import by_bandit, run

    here = campaign(1, 60)
    run(here, by_bandit)
    assert len(here.trials) == 40
    assert {t.reward for t in here.trials} != {0.0}


def test_a_new_animal_is_harder_than_the_pool_but_learnable():
    from _active_work import by_policy, run
    from nissl.review.policies import POLICIES

    last = [run(campaign(s, 60), by_policy(POLICIES.get("random")))[-1] for s in range(2)]
    assert np.mean([s["balanced_accuracy"] for s in last]) > 0.5  # chance is a third
    assert np.mean([s["pool_balanced_accuracy"] - s["balanced_accuracy"] for s in last]) > 0


def test_standardising_keeps_order_and_fills_gaps():
    from _active_work import standardised

    raw = np.array([[3.0, np.nan], [1e9, 2.0], [-5.0, 1.0], [0.0, 7.0]])
    found = standardised(raw)
    assert np.array_equal(np.argsort(found[:, 0]), np.argsort(raw[:, 0]))
    assert found[0, 1] == 0
    assert np.all(np.isfinite(found))


def results():
    n = [20, 40, 60, 80]
    curves = {
        "random": [[0.4, 0.5, 0.6, 0.7], [0.4, 0.5, 0.6, 0.7]],
        "margin": [[0.4, 0.7, 0.7, 0.7], [0.4, 0.7, 0.7, 0.7]],
    }
    states = {
        policy: {
            "1": [
                {"n": n, "balanced_accuracy": c, "pool_balanced_accuracy": c, "minutes": n}
                | {
                    key: [0.2, 0.2, 0.2, 0.2]
                    for key in ("true_error", "model_error", "asked_error")
                }
                | {
                    key: [0.2, 0.2, 0.2, 0.25]
                    for key in ("level_error", "audit_error", "both_error")
                }
                | {key: [0.3, 0.3, 0.3, 0.3] for key in ("asked_upper", "audit_upper")}
                | {key: [0.1, 0.1, 0.1, 0.1] for key in ("change_ahead", "changed", "stop")}
                for c in seeds
            ]
        }
        for policy, seeds in curves.items()
    }
    full = {"1": {"n": 200, "n_test": 100, "balanced_accuracy": 0.65 / 0.95}}
    return {
        "quick": True,
        "seeds": 2,
        "nissl": "0",
        "machine": {"python": "3"},
        "peers": {},
        "subjects": ["1"],
        "full": full,
        "curves": states,
        "errors": {},
    }


def test_answers_to_the_aim_are_read_off_the_mean_curve():
    from _active_page import areas, labels_to

    control, _ = labels_to(results(), "random")
    found, draws = labels_to(results(), "margin")
    assert control[0] == pytest.approx(70)
    assert found[0] == pytest.approx(20 + 20 * 0.25 / 0.3)
    assert np.allclose(draws, found)
    assert areas(results(), "random", 80) == pytest.approx(0.55)
    never = results()
    never["full"]["1"]["balanced_accuracy"] = 0.9
    assert np.isnan(labels_to(never, "margin")[0][0])


def test_the_page_says_who_is_better_and_what_is_missed(tmp_path):
    from _active_page import markdown, plot

    text = markdown(results(), "x.png")
    assert "| margin | 0.650 | +0.100 |" in text
    assert "the best, margin, needs 52 % (**missed**)" in text
    plot(results(), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 10_000
