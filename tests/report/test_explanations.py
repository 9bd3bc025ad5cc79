"""Explained units and spikes in words, as JSON and as pictures."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.spikes.own.confidence.expectations import Expected
from nissl.annotators.spikes.own.explaining.recognising import Recognised
from nissl.annotators.spikes.own.explaining.spikes import Explained
from nissl.annotators.spikes.own.explaining.units import Rival, UnitExplained
from nissl.report import explanation_plots as plots
from nissl.report import explanations as words

CHANNELS = {10: "a", 11: "b", 12: "c", 13: "d", 14: "e"}
ITEMS = {4: 7, 5: 8}


def spike(llr=(1.0, 8.0, 1.0, 0.0, -2.0), rival=5):
    n, rng = 75, np.random.default_rng(0)
    own = np.zeros((n, 5), np.float32)
    own[21] = [-3, -9, -4, -6, 0]
    return Explained(
        sample=30_000,
        unit=4,
        template=2,
        amplitude=1.02,
        gain=90.0,
        rival=rival,
        rival_template=rival,
        rival_gain=80.0 if rival >= 0 else 0.0,
        columns=tuple(CHANNELS),
        rate_hz=15_000.0,
        peak=21,
        samples=own + rng.normal(0, 1, own.shape).astype(np.float32),
        others=np.zeros_like(own),
        own=own,
        runner_up=0.5 * own if rival >= 0 else np.zeros_like(own),
        energy_before=12.5,
        energy_after=1.04,
        llr=np.asarray(llr),
        llr_prior=2.0,
    )


def unit(rivals=None, lost=0.031, false=0.02):
    found = (Rival(5, 0.9, 0.012, 9.5, np.ones(5), (11, 13)),) if rivals is None else rivals
    return UnitExplained(
        unit=4,
        n_spikes=500,
        n_explained=198,
        n_looked_at=200,
        recognised=Recognised(4, 0, 1.0),
        energy_before=12.5,
        energy_after=1.04,
        least_amplitude=0.45,
        margin=np.asarray([1.0, 5.0, 9.0]),
        no_rival=0.1,
        rivals=found,
        chance=0.001,
        expected=Expected(4, 198, false, lost, 0.0),
        spikes=(spike(),),
    )


def test_a_unit_in_words_and_numbers():
    facts = words.unit_json(7, unit(), ITEMS, CHANNELS)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["runners_up"][0]["unit"] == 8
    assert facts["runners_up"][0]["channels"] == ["b", "d"]
    said = " ".join(words.unit_sentences(facts))
    assert "Unit 7: 198 of 200 spikes looked at were found again (it has 500)." in said
    assert "12.50 times the energy of the noise, 1.04 times when they are subtracted" in said
    assert "Runner-up of 90 %: unit 8. Channels that decided: b, d." in said
    assert "9.5 noise SDs apart, expected confusion 1.2 %" in said
    assert "10 % have no runner-up" in said
    assert "Expected: 2.0 % false, 3.1 % of its spikes too small to be found." in said


@pytest.mark.parametrize(
    ("lost", "false", "sentence"),
    [
        (0.5, 0.0, "<0.1 % false, half or more of its spikes too small"),
        (float("nan"), float("nan"), "nobody knows how many false, too few spikes to say"),
    ],
)
def test_what_is_not_known_is_said(lost, false, sentence):
    facts = words.unit_json(7, unit(lost=lost, false=false), ITEMS, CHANNELS)
    assert sentence in words.unit_sentences(facts)[-1]


def test_a_rival_that_the_labels_do_not_have_is_told_so():
    stranger = (Rival(9, 1.0, 0.0, 9.5, np.ones(5), (11,)),)
    facts = words.unit_json(7, unit(stranger), ITEMS, CHANNELS)
    assert facts["runners_up"][0]["unit"] is None
    assert "template 9, none of the labels" in " ".join(words.unit_sentences(facts))


def test_a_spike_in_words_and_numbers():
    facts = words.spike_json(7, spike(), ITEMS, CHANNELS)
    assert facts["channels"] == ["b"]
    assert facts["log_likelihood_ratio"] == {"a": 1.0, "b": 8.0, "c": 1.0, "e": -2.0}
    assert facts["odds"]["unit"] == pytest.approx(1, abs=1e-4)
    said = " ".join(words.spike_sentences(facts, 1.0))
    assert "unit 7 at 1.0000 s (sample 30000)" in said
    assert "gain 90.0, runner-up unit 8 with 80.0" in said
    alone = words.spike_json(7, spike(rival=-1), ITEMS, CHANNELS)
    assert alone["runner_up"] is None
    assert "no other unit explains anything" in words.spike_sentences(alone, 1.0)[0]


def test_channels_that_decided_are_drawn_first_then_the_largest():
    assert plots.shown([spike()]) == [1, 3, 2]
    every = plots.shown([spike(llr=(1.0, 1.0, 1.0, 1.0, 1.0))])
    assert every == [0, 1, 2, 3]
    assert plots.shown([spike(llr=(0.0,) * 5)]) == [1, 3, 2]


def test_pictures_show_samples_template_runner_up_and_what_is_left():
    with plots.drawn([spike()], CHANNELS, "7", {5: "unit 8"}) as made:
        axes = np.asarray(made.axes).reshape(2, 3)
        assert axes[0, 0].get_title() == "channel b · 80 %"
        names = [line.get_label() for line in axes[0, 0].get_lines()[:3]]
        assert names == ["samples", "unit 7", "runner-up, unit 8"]
        left = axes[1, 0].get_lines()[0].get_ydata()
        np.testing.assert_allclose(left, spike().left[:, 1])
        assert "<svg" in plots.inline(made, "unit 7")


def test_of_many_spikes_the_commonest_runner_up_is_drawn():
    many = [spike() for _ in range(100)] + [spike(rival=-1), replace(spike(), rival=4)]
    assert plots.commonest(many) == 5
    with plots.drawn(many, CHANNELS, "7", {5: "unit 8", 4: "unit 7"}) as made:
        lines = made.axes[0].get_lines()
        assert len(lines) < plots.MOST_LINES + 5
        assert any(line.get_label() == "runner-up, unit 8" for line in lines)
    assert plots.commonest([spike(rival=-1)]) == -1
    with plots.drawn([spike(rival=-1)], CHANNELS, "7", {-1: ""}) as made:
        assert [line.get_label() for line in made.axes[0].get_lines()][:2] == ["samples", "unit 7"]


def test_files_are_written(tmp_path):
    path = words.write_picture([spike()], CHANNELS, 7, ITEMS, tmp_path / "new" / "unit-7.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    facts = words.unit_json(7, unit(), ITEMS, CHANNELS)
    assert json.loads(words.write_json(facts, tmp_path / "unit-7.json").read_text()) == facts
