"""Units of two raw recordings of one probe, matched from Python and from the command line."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import nissl
from nissl.align.waveforms.simulate import Neuron, probe
from nissl.cli import app
from nissl.errors import BadArgumentError, SourceNotFoundError
from nissl.labels import Author, Kind, LabelSet, Provenance, Vocabulary
from nissl.project.adding import keep

pytest.importorskip("spikeinterface", reason='needs pip install "nissl[ephys]"')
RATE_HZ, DURATION_S, N_CHANNELS, SHIFT_UM = 30_000.0, 8.0, 12, 12.0


def recorded(rng, neurons, shift_um):
    """Samples in uV, and the sample and unit of each spike."""
    place, _ = probe(N_CHANNELS)
    n = round(RATE_HZ * DURATION_S)
    x = rng.normal(0, 8, (n, N_CHANNELS)).astype(np.float32)
    samples, units = [], []
    for unit, neuron in enumerate(neurons):
        wave = neuron.waveform(place, shift_um)
        gaps = rng.exponential(RATE_HZ / (4 + 3 * (unit % 4)), 400) + 0.003 * RATE_HZ
        own = np.cumsum(gaps).astype(np.int64)
        own = own[(own > 100) & (own < n - 100)]
        for at in own.tolist():
            x[at - 24 : at - 24 + len(wave)] += wave
        samples.append(own)
        units.append(np.full(own.size, unit + 1, np.int64))
    order = np.argsort(np.concatenate(samples), kind="stable")
    return x, np.concatenate(samples)[order], np.concatenate(units)[order]


def probe_file(path):
    place, _ = probe(N_CHANNELS)
    contacts = {
        "ndim": 2,
        "si_units": "um",
        "annotations": {},
        "contact_positions": place.tolist(),
        "contact_plane_axes": [[[1.0, 0.0], [0.0, 1.0]]] * N_CHANNELS,
        "contact_shapes": ["circle"] * N_CHANNELS,
        "contact_shape_params": [{"radius": 5}] * N_CHANNELS,
        "device_channel_indices": list(range(N_CHANNELS)),
    }
    about = {"specification": "probeinterface", "version": "0.2", "probes": [contacts]}
    path.write_text(json.dumps(about))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three days with raw data: two share nine units; the third has other contacts."""
    home = tmp_path_factory.mktemp("waveform")
    rng = np.random.default_rng(8)
    place, _ = probe(N_CHANNELS)
    cells = [Neuron.drawn(rng, place) for _ in range(15)]
    days = {"monday": cells[:12], "tuesday": cells[3:], "other": cells[:4]}
    project = nissl.open(home / "study")
    probe_file(home / "probe.json")
    for k, (name, neurons) in enumerate(days.items()):
        x, sample, unit = recorded(rng, neurons, SHIFT_UM * k)
        np.savez(home / f"{name}.npz", data=x, rate_hz=RATE_HZ)
        given = {} if name == "other" else {"probe": home / "probe.json"}
        source = project.add(home / f"{name}.npz", **given)
        stream = source.stream()
        about = Provenance(
            "spikes", source.fingerprint, Author("model", "spikes/true", "1"), stream
        )
        columns = {"sample": sample, "item": unit, "channel": np.zeros(unit.size, np.int32)}
        keep(project.store, LabelSet.build(Kind.EVENTS, columns, ("unit",), about))
    return project, home


def test_units_are_linked_and_kept(study):
    project, _ = study
    found = project.align("monday", "tuesday", by="waveform")
    same = found.labels.column("label") == 0
    pairs = list(
        zip(
            found.labels.column("a")[same].tolist(),
            found.labels.column("b")[same].tolist(),
            strict=True,
        )
    )
    right = [a == b + 3 for a, b in pairs]
    assert sum(right) >= 7
    assert np.mean(right) >= 0.85
    assert abs(found.matches.drift.shift_um.mean() - SHIFT_UM) < 5
    shown = found.items.arrays
    assert shown["template_a"].shape == shown["template_b"].shape
    assert found.itself[0].found > 0.7
    assert [path.name for path in found.files] == ["facts.json", "same_units.png"]
    (row,) = project.store.label_sets(task="links")
    assert row.digest == found.labels.digest
    assert project.align("monday", "tuesday", by="waveform").labels == found.labels


def test_units_called_noise_stay_out(study):
    project, _ = study
    source = project.source("monday")
    (row,) = project.store.label_sets(task="spikes", source=source.fingerprint)
    columns = {"target": np.array([4, 5]), "label": np.array([1, 0], np.int32)}
    for author, is_out in (
        (Author("model", "curation/x", "1"), False),
        (Author("person", "Ann"), True),
    ):
        about = Provenance("curation", source.fingerprint, author, targets=(row.digest,))
        keep(
            project.store,
            LabelSet.build(Kind.CLASSES, columns, Vocabulary(("good", "noise")), about),
        )
        found = project.align("monday", "tuesday", by="waveform")
        assert (4 not in found.days[0].items) == is_out
    found = project.align("monday", "tuesday", by="waveform", everything=True)
    assert 4 in found.days[0].items


def test_command(study):
    project, home = study
    words = ["align", str(project.store.path), "monday", "tuesday", "--by", "waveform", "--json"]
    ran = CliRunner().invoke(app, [*words, "--out", str(home / "out")])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout[ran.stdout.index("[") :])
    assert told[0]["same"] >= 7
    assert told[0]["expected_wrong"] < 2
    facts = json.loads((home / "out" / "facts.json").read_text())
    assert {finding["check"] for finding in facts["findings"]} <= {
        "few_spikes", "units_left_out", "firing", "outside", "split_halves", "few_units"
    }  # fmt: skip


def test_nonsense_is_told(study):
    project, home = study
    with pytest.raises(BadArgumentError, match="one probe"):
        project.align("monday", "other", by="waveform")
    with pytest.raises(BadArgumentError, match="waveforms alone"):
        project.align("monday", "tuesday", by="waveform", activity=True)
    shutil.move(home / "tuesday.npz", home / "gone.npz")
    with pytest.raises(SourceNotFoundError, match="relocate"):
        project.align("monday", "tuesday", by="waveform")
    shutil.move(home / "gone.npz", home / "tuesday.npz")


def test_a_session_without_units_is_told(study):
    project, _ = study
    source = project.source("other")
    about = Provenance("spikes", source.fingerprint, Author("model", "z", "1"), source.stream())
    few = {"sample": np.array([100, 900]), "item": np.array([1, 2]), "channel": np.zeros(2, "i4")}
    keep(project.store, LabelSet.build(Kind.EVENTS, few, ("unit",), about))
    with pytest.raises(BadArgumentError, match="'other'"):
        project.align("monday", "other", by="waveform")
