"""The training loop: learns, stops, weighs, resumes exactly, and refuses what is not its own."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from nissl.errors import (
    BadArgumentError,
    CorruptSourceError,
    MethodFailedError,
    MissingInputError,
)
from nissl.nets import checkpoint
from nissl.nets.augment import Setting, augmenter
from nissl.nets.training import IGNORED, Recipe, Windows, _class_weights, fit
from nissl.run.progress import Recorder

torch = pytest.importorskip("torch")

from nissl.nets.backend import device, seeded  # noqa: E402
from nissl.nets.unet1d import UNet1d, UNetSettings  # noqa: E402

SETTINGS = UNetSettings(2, period=32, pools=(4, 4), width=6)


def bursts(n, seed):
    """Noise with an oscillation in some periods of 32 samples."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 4)) < 0.3).astype(np.int64)
    wave = np.sin(np.arange(128) / 2 + rng.uniform(0, 6, (n, 2, 1)))
    x = rng.standard_normal((n, 2, 128)) + 2.5 * wave * np.repeat(y, 32, axis=1)[:, None]
    return Windows(x.astype(np.float32), y)


def net(seed=0):
    with seeded(np.random.default_rng(seed)):
        return UNet1d(SETTINGS)


def run(epochs=6, augment=None, path=None, known=None, **changes):
    return fit(
        net(),
        known or bursts(96, 1),
        bursts(32, 2),
        rng=np.random.default_rng(7),
        recipe=Recipe(epochs=epochs, batch=16, **changes),
        augment=augment,
        checkpoint=path,
    )


def weights(trained):
    return {k: v.numpy() for k, v in trained.net.state_dict().items()}


def same(a, b):
    return all(np.array_equal(weights(a)[k], weights(b)[k]) for k in weights(a))


def test_it_learns_and_tells_and_repeats_itself():
    told = Recorder()
    known, new = bursts(96, 1), bursts(64, 3)
    trained = fit(
        net(), known, bursts(32, 2), rng=np.random.default_rng(7),
        recipe=Recipe(epochs=12, batch=16), progress=told,
    )  # fmt: skip
    with torch.no_grad():
        said = trained.net(torch.as_tensor(new.x)).argmax(dim=1).numpy()
    assert (said == new.y).mean() > 0.9
    assert told.done["train"] == len(trained.history)
    assert told.finished == ["train"]
    assert same(run(3), run(3))
    before = torch.get_rng_state()
    run(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_stops_early_with_the_best_weights():
    trained = run(60, patience=2, rate=0.05)
    losses = [kept for _, kept in trained.history]
    assert len(losses) == 60 or len(losses) - 1 - int(np.argmin(losses)) == 2


def test_rare_classes_weigh_more_and_what_is_not_labelled_nothing():
    assert _class_weights(np.array([90, 10, 0]), 0.0).tolist() == [1, 1, 0]
    even = _class_weights(np.array([90, 10, 0]), 1.0)
    assert even[1] / even[0] == pytest.approx(9)
    assert (even * [90, 10, 0]).sum() == pytest.approx(100)
    known = bursts(64, 1)
    sparse = Windows(known.x, np.where(np.arange(64)[:, None] < 8, known.y, IGNORED))
    other = Windows(known.x, np.where(np.arange(64)[:, None] < 8, known.y, IGNORED).copy())
    assert same(run(2, known=sparse), run(2, known=other))
    with pytest.raises(MissingInputError):
        run(1, known=Windows(known.x, np.full_like(known.y, IGNORED)))


@pytest.mark.parametrize("after", [1, 4])
def test_resumed_gives_the_same_weights_as_uninterrupted(tmp_path, after, monkeypatch):
    change = augmenter(["gain", "channel_dropout"], Setting(100.0))
    whole = run(augment=change)
    path, left = tmp_path / "state.npz", [after]

    def interrupted(*args):
        write(*args)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    write = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(augment=change, path=path)
    monkeypatch.undo()
    resumed = run(augment=change, path=path)
    assert resumed.history == whole.history
    assert same(resumed, whole)
    assert same(run(augment=change, path=path), whole)  # finished: nothing left to do


def test_killed_in_the_middle_of_an_epoch(tmp_path):
    script = textwrap.dedent(
        f"""
        import os, sys
        sys.path.insert(0, {str(__file__.rpartition("/")[0])!r})
        import test_training as t
        from pathlib import Path
        t.torch.set_num_threads({torch.get_num_threads()})  # sums have an order for each number
        calls = []
        def change(x, y, rng):
            calls.append(0)
            if len(calls) == 15:  # six batches an epoch: in the third
                os.kill(os.getpid(), 9)
            return x, y
        t.run(augment=change, path=Path({str(tmp_path / "state.npz")!r}))
        """
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr.decode()[-500:]
    keep = lambda x, y, rng: (x, y)  # noqa: E731
    assert same(run(augment=keep, path=tmp_path / "state.npz"), run(augment=keep))
    assert not list(tmp_path.glob(".*.partial"))


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    run(1, path=path)
    with pytest.raises(BadArgumentError, match="checkpoint"):
        run(1, path=path, rate=1e-4)
    with pytest.raises(BadArgumentError, match="checkpoint"):
        run(1, path=path, known=bursts(96, 9))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CorruptSourceError):
        run(1, path=path)


def test_a_loss_that_explodes_is_an_error():
    bad = bursts(32, 1)
    with pytest.raises(MethodFailedError, match="finite"):
        fit(
            net(), bad, rng=np.random.default_rng(0), recipe=Recipe(epochs=1),
            loss=lambda n, x, y: n(x).sum() * float("nan"),
        )  # fmt: skip


def test_devices():
    assert device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(BadArgumentError):
            device("cuda")
    with pytest.raises(BadArgumentError):
        device("abacus")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_half_precision_on_a_gpu_learns_the_same():
    new = bursts(64, 3)
    with torch.no_grad():
        said = run(12, device="cuda").net(torch.as_tensor(new.x)).argmax(dim=1).numpy()
    assert (said == new.y).mean() > 0.9
