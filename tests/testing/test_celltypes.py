"""The simulated study of cell types."""

import numpy as np

from nissl.annotators.celltypes.axes import LAG_EDGES_S, LOG_S, MODALITIES, WAVE_MS
from nissl.labels import Kind
from nissl.project.reviewing import open_room
from nissl.store import Store
from nissl.testing.celltypes import LEAST, SORTS, celltypes_study


def test_a_desk_of_types_with_all_that_its_view_needs(tmp_path):
    truth = celltypes_study(tmp_path / "study", n_units=40, n_sessions=2, seed=2)
    with Store.open(tmp_path / "study") as store:
        desks = [desk for desk in open_room(store).desks if desk.view == "celltypes"]
        assert {desk.key for desk in desks} == set(truth)
        assert store.verify() == []
        for desk in desks:
            assert (desk.kind, desk.classes_row) == (Kind.CLASSES, None)
            assert desk.vocabulary.names == (*SORTS, "unknown")
            p, table = desk.proposals.probabilities, desk.items
            np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
            claimed = desk.proposals.label != len(SORTS)
            assert np.all(desk.proposals.confidence[claimed] >= LEAST - 1e-6)
            assert np.isnan(desk.proposals.confidence[~claimed]).all()
            shapes = {name: array.shape for name, array in table.arrays.items()}
            assert shapes["template"] == (40, WAVE_MS.size, 16)
            assert shapes["template_position_um"] == (40, 16, 2)
            assert shapes["map"] == (40, 2)
            for name, columns in MODALITIES.items():
                assert np.prod(shapes[name][1:]) == len(columns)
            context = table.context
            assert len(context["log_s"]) == LOG_S.size
            assert len(context["lag_edges_s"]) == LAG_EDGES_S.size
            assert [one["name"] for one in context["classes"]] == list(SORTS)
            assert np.isnan(table.arrays["acg3"][-1]).all()
            assert np.isnan(table.arrays["waveform"][-2]).all()
            assert np.isnan(table.arrays["template_position_um"][-3]).all()
            named = np.asarray(desk.vocabulary.names)[desk.proposals.label]
            right = named[claimed] == np.asarray(truth[desk.key])[claimed]
            assert right.mean() > 0.8


def test_the_same_seed_draws_the_same(tmp_path):
    one, two = (celltypes_study(tmp_path / name, n_units=10, seed=7) for name in "ab")
    assert one == two
