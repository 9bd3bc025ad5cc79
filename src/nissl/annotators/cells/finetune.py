"""The network of cells, taught by what a person marked in some fields. Needs PyTorch and onnx.

Only what was decided counts: cells that were accepted or drawn, with a rim of ground around
them, and regions that were rejected. The rest of a field says nothing. Statistics that the
network was normalised by stay as they are, for a few fields cannot tell better ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nissl.annotators.cells.examples import Field, painted
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.network import Image
from nissl.annotators.cells.train_network import loss, patches, varied, written
from nissl.errors import MissingInputError
from nissl.nets.backend import pytorch, required, seeded
from nissl.nets.inference import Network
from nissl.nets.training import Recipe, fit
from nissl.run.progress import Progress

RIM = 0.35
"""Width of the ground around a cell that is taken to be decided with it, diameters."""


def marked_field(
    images: dict[str, Image],
    accepted: Footprints,
    rejected: Footprints | None = None,
    *,
    diameter_px: float,
    complete: bool = False,
) -> Field:
    """Return what a person decided in one field, as a network learns from it.

    Parameters
    ----------
    images : dict of str to ndarray, shape (y, x)
        Summary of the field; see `nissl.annotators.cells.network.images_of`.
    accepted, rejected : Footprints
        Of shape (1, y, x): cells, and regions that are none.
    diameter_px : float
        Diameter of a soma.
    complete : bool
        Whether all cells of the field are among those accepted: then all else is ground.
    """
    from scipy.ndimage import binary_dilation

    cells = painted(accepted)
    reach = max(1, round(RIM * diameter_px))
    known = binary_dilation(cells > 0, iterations=reach)
    for pixels in () if rejected is None else rejected.pixels:
        known.ravel()[pixels] = True
    return Field(images, cells, np.ones_like(known) if complete else known, diameter_px)


def finetuned(
    network: Network,
    fields: Sequence[Field],
    *,
    rng: np.random.Generator,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> Network:
    """Return a network that also knows these fields.

    Parameters
    ----------
    network : Network
        As `train_network` writes it.
    fields : sequence of Field
        What was decided; see `marked_field`.
    rng : numpy.random.Generator
    recipe : Recipe, optional
        Thirty runs over some dozens of pieces of each field by default.
    progress : Progress, optional

    Raises
    ------
    MissingInputError
        No cell was marked.
    """
    if not any(field.labels.any() for field in fields):
        raise MissingInputError(
            "at least one marked cell", "none", "Accept or draw some cells first."
        )
    header = dict(network.header)
    net = frozen(restored(network, rng))
    plan = recipe or Recipe(epochs=30, patience=30, batch=16, rate=1e-3)
    known = patches(fields, 8, rng, tuple(header["images"]))
    trained = fit(net, known, rng=rng, recipe=plan, augment=varied, loss=loss, progress=progress)
    header |= {
        "starts_from": network.digest,
        "trained_on": f"{header['trained_on']}, then {len(fields)} marked fields",
        "simulated": False,
    }
    return written(trained.net, header)


def restored(network: Network, rng: np.random.Generator) -> Any:
    """PyTorch network of an ONNX file, its normalisation folded into the convolutions."""
    from nissl.nets.unet2d import UNet2d, UNet2dSettings

    onnx, torch = required("onnx"), pytorch()
    graph = onnx.load_from_string(network.model).graph
    values = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    held = [
        [values[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"
    ]
    with seeded(rng):
        net = UNet2d(UNet2dSettings(len(network.header["images"]), 2))
    layers = _convolutions(net)
    for layer, (weight, bias) in zip(layers, held, strict=True):
        layer.weight.data = torch.tensor(weight)
        layer.bias.data = torch.tensor(bias)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.fill_(float(np.sqrt(1 + layer.eps)))
    return net.eval()


def frozen(net: Any) -> Any:
    """Network whose normalisation stays as it is while it trains."""
    torch = pytorch()

    def fixed(*_: Any) -> None:
        for layer in net.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.eval()

    net.register_forward_pre_hook(fixed)
    return net


def _convolutions(net: Any) -> list[Any]:
    """Convolutions in the order in which they run."""
    blocks = [net.first, *net.down]
    for k in reversed(range(len(net.down))):
        blocks += [[net.up[k]], net.join[k]]
    conv = pytorch().nn.Conv2d
    return [layer for part in (*blocks, [net.last]) for layer in part if isinstance(layer, conv)]


__all__ = ["finetuned", "frozen", "marked_field", "restored"]
