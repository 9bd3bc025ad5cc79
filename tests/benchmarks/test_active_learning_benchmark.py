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


def recordings(folder, sizes, seed=0):
    """Write recordings like UnitRefine's: file name to number of units; classes by one metric."""
    import pandas as pd

    from active_learning import FOLDER

    rng = np.random.default_rng(seed)
    (folder / FOLDER).mkdir(parents=True)
    for name, n in sizes.items():
        raw = rng.standard_normal((n, 4))
        vote = np.array(["noise", "mua", "good"])[np.digitize(raw[:, 0], [-0.5, 0.5])]
        table = pd.DataFrame(raw, columns=["snr", "rate", "depth", "ratio"])
        table.assign(cluster_id=np.arange(n), is_noise=vote == "noise", majority_vote=vote).to_csv(
            folder / FOLDER / f"{name}.csv.gz", index=False
        )
    return folder


def arguments(train, test):
    from active_learning import parser

    return parser().parse_args(["--train", str(train), "--test", str(test), "--quick"])


@pytest.mark.parametrize(
    ("file", "animal"),
    [
        ("mouse1a_imec0.csv.gz", "1"),
        ("mouse12_imec1.csv.gz", "12"),
        ("ratB_day2.csv.gz", "ratB"),
        ("KM-7.csv.gz", "KM-7"),
    ],
)
def test_an_animal_is_known_by_the_name_of_its_file(file, animal):
    from active_learning import subject_of

    assert subject_of(file) == animal


def test_a_pool_and_its_tests_may_lie_in_two_folders(tmp_path):
    from active_learning import items_of, plan_of, smallest_pool

    train = recordings(tmp_path / "a", {"mouse1a_imec0": 90, "mouse1b_imec0": 60})
    test = recordings(tmp_path / "b", {"ratB_x": 7, "mouse12_imec0": 40}, 1)
    pool, held = items_of(arguments(train, test), "ratB")
    assert (len(pool), len(held)) == (150, 7)
    assert smallest_pool(arguments(train, test)) == 150
    plan = plan_of("random", False, 150)
    assert plan.audit == 30
    assert plan.audit + plan.budget < 150  # a campaign ends before the pool does


def test_in_one_folder_an_animal_is_held_out_whole(tmp_path):
    from active_learning import items_of, smallest_pool

    sizes = {"mouse1a_imec0": 30, "mouse1b_imec0": 20, "mouse12_imec0": 40}
    folder = recordings(tmp_path, sizes)
    pool, held = items_of(arguments(folder, folder), "1")
    assert (len(pool), len(held)) == (40, 50)
    assert smallest_pool(arguments(folder, folder)) == 40


def test_units_without_a_class_and_metrics_not_trained_on_are_left_out(tmp_path):
    import pandas as pd

    from active_learning import FOLDER, load

    folder = recordings(tmp_path, {"mouse1_imec0": 10})
    (file,) = (folder / FOLDER).glob("*.csv.gz")
    table = pd.read_csv(file)
    table.loc[0, "majority_vote"] = None
    table.to_csv(file, index=False)
    units = load(folder, ("rate", "snr", "other"))
    assert units.raw.shape == (9, 3)
    assert np.allclose(units.raw[:, 1], table["snr"][1:])
    assert np.isnan(units.raw[:, 2]).all()


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
                    for key in (
                        "level_error",
                        "audit_error",
                        "claimed_error",
                        "composite_error",
                    )
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
        "budget": 80,
        "audit": 120,
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


def test_the_page_of_a_short_run_says_nothing_of_what_would_change():
    from _active_page import markdown

    short = results()
    for curves in short["curves"].values():
        for states in curves["1"]:
            states["change_ahead"] = [np.nan] * 4
    assert "nan" not in markdown(short, "x.png")
    assert "was announced 12 times" in markdown(results(), "x.png")


def test_the_page_says_who_is_better_and_what_is_missed(tmp_path):
    from _active_page import markdown, plot

    text = markdown(results(), "x.png")
    assert "| margin | 0.650 | +0.100 |" in text
    assert "the best, margin, needs 52 % (**missed**)" in text
    plot(results(), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 10_000
