"""Pictures of the field that a label set lies in, kept by digest beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.labels.digest import digest_json
from nissl.store.store import Store


def keep_images(store: Store, labels: str, images: Mapping[str, npt.NDArray[Any]]) -> None:
    """Keep pictures for a label set; the first ones kept stay.

    Parameters
    ----------
    store : Store
    labels : str
        Digest of the label set.
    images : mapping of str to ndarray, shape (y, x) or (z, y, x)
        On the grid that the set's `pixels` count on; kept as float32, NaN where unknown.
    """
    if not images:
        return
    wrong = {name: image.shape for name, image in images.items() if image.ndim not in (2, 3)}
    sizes = {image.shape[-2:] for image in images.values()}
    if wrong or len(sizes) != 1:
        raise BadArgumentError(
            "pictures of one shape, (y, x) or (z, y, x)",
            f"{ {name: image.shape for name, image in images.items()} }",
            "Give every picture on the grid of the field.",
        )
    name, job = _job(labels)
    store.start_run(name, job)
    outputs = [
        store.put_array(np.ascontiguousarray(image, np.float32)) for image in images.values()
    ]
    store.finish_run(name, outputs=outputs, log={"images": list(images)})


def kept_images(store: Store, labels: str) -> dict[str, str]:
    """Digest of each picture that is kept for a label set, for `Store.get_array`, by name."""
    run = store.run(_job(labels)[0])
    if run is None or run.state != "finished":
        return {}
    return dict(zip(run.log["images"], run.outputs, strict=True))


def _job(labels: str) -> tuple[str, dict[str, Any]]:
    job = {"what": "images of the field", "labels": labels}
    return digest_json(job), job
