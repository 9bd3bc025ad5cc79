"""CEBRA on two days of reaches, in a process of its own, which has it installed.

    $NISSL_CEBRA_PYTHON benchmarks/_glue_cebra.py IN.npz OUT.npz

Reads activity of a reference day, of labelled and of other windows of another day (`reference`,
`labelled`, `test`; bins x units) and velocities of the first two (`reference_y`, `labelled_y`);
trains one model of both days on activity and velocity, and writes the embeddings of all three.
"""

from __future__ import annotations

import sys
import time

import numpy as np

AXES = 8
ITERATIONS = 300
BATCH = 256


def main(given: str, out: str) -> None:
    """Train and embed on the CPU."""
    import cebra
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (what CEBRA itself draws from)
    with np.load(given, allow_pickle=False) as held:
        day = {name: held[name].astype(np.float32) for name in held.files}
    model = cebra.CEBRA(
        model_architecture="offset1-model",
        output_dimension=AXES,
        num_hidden_units=32,
        batch_size=BATCH,
        max_iterations=ITERATIONS,
        learning_rate=3e-3,
        temperature=1.0,
        distance="cosine",
        conditional="time_delta",
        time_offsets=1,
        device="cpu",
        verbose=False,
    )
    began = time.perf_counter()
    model.fit(
        [day["reference"], day["labelled"]],
        [day["reference_y"], day["labelled_y"]],
    )
    seconds = time.perf_counter() - began
    np.savez(
        out,
        reference=model.transform(day["reference"], session_id=0),
        labelled=model.transform(day["labelled"], session_id=1),
        test=model.transform(day["test"], session_id=1),
        seconds=seconds,
        version=np.array(cebra.__version__),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
