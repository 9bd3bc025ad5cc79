"""The task "rates" within a project: from a source of traces to a source of rates."""

import nissl
from nissl.annotators.rates.simulate import simulate
from nissl.store.derived import write_derived


def test_rates_become_a_source(tmp_path):
    recording, _ = simulate(1, n_cells=3, duration_s=40, rate_hz=15.0)
    about = {"subject": {"id": "mouse"}, "session": {}, "metadata": {}}
    path = write_derived(tmp_path / "given", recording["fluorescence"], about)
    with nissl.open(tmp_path / "study") as project:
        source = project.add(path)
        draft = project.annotate(source, "rates")
        assert draft.labels.provenance.author.name == "rates/nissl"
        assert draft.derived == (f"{source.name}.rates",)
        rates = project.source(draft.derived[0]).recording.signal
        assert rates.channels.ids[:3] == ("0", "0.low", "0.high")
        assert rates.n_samples == recording["fluorescence"].n_samples
