"""Teaching the network what a person marked."""

from __future__ import annotations

import numpy as np
import pytest

from nissl.annotators.cells.examples import Field, nuclei_field
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.matching import agreement
from nissl.annotators.cells.network import segmented, shipped
from nissl.errors import MissingInputError
from nissl.nets.inference import Network

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("skimage")


def _dark(seed: int) -> Field:
    """Nuclei that are darker than their ground: of a kind that the network has never seen."""
    made = nuclei_field(np.random.default_rng([seed, 77]))
    image = made.images["image"]
    return Field({"image": image.max() - image}, made.labels, made.known, made.diameter_px)


def _f1(network: Network, field: Field) -> float:
    found, _ = segmented(field.images, field.diameter_px, network=network)
    cells, true = (Footprints.from_masks(each) for each in (found.labels, field.labels))
    return agreement(cells, true, doubtful=~field.known)["f1"]


def test_a_network_comes_back_from_its_file() -> None:
    from nissl.annotators.cells.finetune import restored

    network = shipped("nuclei")
    net = restored(network, np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((1, 1, 64, 48)).astype(np.float32)
    with torch.no_grad():
        said = net(torch.as_tensor(x)).numpy()
    np.testing.assert_allclose(said, network(x), atol=1e-3)


def test_marked_cells_of_two_fields_help_in_a_third() -> None:
    from nissl.annotators.cells.finetune import finetuned, marked_field
    from nissl.nets.training import Recipe

    known, new = [_dark(1), _dark(2)], _dark(3)
    marked = [
        marked_field(
            field.images,
            Footprints.from_masks(field.labels),
            diameter_px=field.diameter_px,
            complete=True,
        )
        for field in known
    ]
    before = shipped("nuclei")
    taught = finetuned(
        before, marked, rng=np.random.default_rng(0), recipe=Recipe(epochs=8, batch=8, rate=2e-3)
    )
    assert _f1(taught, new) > _f1(before, new) + 0.2
    assert taught.header["starts_from"] == before.digest
    assert taught.header["simulated"] is False


def test_only_what_was_decided_counts() -> None:
    from nissl.annotators.cells.finetune import finetuned, marked_field

    image = np.zeros((40, 40), np.float32)
    labels = np.zeros((40, 40), int)
    labels[10:16, 10:16] = 1
    wrong = np.zeros((40, 40), int)
    wrong[30:34, 30:34] = 1
    accepted, rejected = Footprints.from_masks(labels), Footprints.from_masks(wrong)
    field = marked_field({"image": image}, accepted, rejected, diameter_px=8.0)
    assert field.known[12, 12]
    assert field.known[31, 31]
    assert not field.labels[31, 31]
    assert not field.known[25, 25]
    assert not field.known[0].any()
    nothing = marked_field({"image": image}, rejected.take(np.zeros(1, bool)), diameter_px=8.0)
    with pytest.raises(MissingInputError):
        finetuned(shipped("nuclei"), [nothing], rng=np.random.default_rng(0))
