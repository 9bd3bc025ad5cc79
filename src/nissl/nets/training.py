"""One training loop for all networks.

It weighs rare classes, stops early on windows kept aside, changes windows only by augmentations
that were declared, computes in bfloat16 on a GPU, and can be killed at any moment: randomness of
an epoch depends on the seed and the epoch alone, and the state is written at its end, so that a
run that was resumed gives the same weights as one that was not interrupted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, MethodFailedError, MissingInputError
from nissl.nets import checkpoint as files
from nissl.nets.augment import Change
from nissl.nets.backend import device, pytorch
from nissl.run.progress import Progress, Silent

IGNORED = -1
"""Code of a period that nobody has labelled."""

Loss = Callable[[Any, Any, Any], Any]
"""``(network, x, y) -> scalar``, tensors."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows with their labels.

    Parameters
    ----------
    x : ndarray, shape (n, ...), float32
        May be a memory map.
    y : ndarray, shape (n, ...), int64 or float32
        Codes, `IGNORED` where not known; or values, for a loss of their own.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[Any]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or not len(self.x):
            raise MissingInputError(
                "windows, and labels for each", f"{len(self.x)} and {len(self.y)}", "Give both."
            )


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    epochs, patience : int
        At most so many; stops after `patience` without a better loss on what was kept aside.
    batch : int
    rate, decay : float
        Learning rate and weight decay of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101).
    balance : float
        Weight of a class is its inverse frequency to this power: 0 none, 1 all classes alike.
    anneal : bool
        Whether the rate rises over the first tenth of the epochs and then falls to nothing along
        a half cosine; short trainings gain by it, and all epochs are then run.
    device : {"auto", "cpu", "cuda"}
    """

    epochs: int = 50
    patience: int = 10
    batch: int = 32
    rate: float = 2e-3
    decay: float = 1e-4
    balance: float = 0.5
    device: str = "auto"
    anneal: bool = False

    def rate_of(self, epoch: int) -> float:
        """Learning rate of an epoch, from 0."""
        if not self.anneal:
            return self.rate
        warm = max(1.0, 0.1 * self.epochs)
        fallen = 0.5 * (1 + np.cos(np.pi * epoch / max(1, self.epochs)))
        return float(self.rate * min(1.0, (epoch + 1) / warm) * fallen)


@dataclass(frozen=True, eq=False)
class Trained:
    """What training gives.

    Parameters
    ----------
    net : torch.nn.Module
        On the CPU, in evaluation mode, with the best weights.
    history : tuple of (float, float)
        Loss in training and on what was kept aside, by epoch.
    """

    net: Any
    history: tuple[tuple[float, float], ...]


@dataclass
class _State:
    """What an epoch changes."""

    best: dict[str, Any] = field(default_factory=dict)
    best_loss: float = float("inf")
    waited: int = 0
    history: list[tuple[float, float]] = field(default_factory=list)


def fit(
    net: Any,
    known: Windows,
    kept: Windows | None = None,
    *,
    rng: np.random.Generator,
    recipe: Recipe | None = None,
    augment: Change | None = None,
    loss: Loss | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> Trained:
    """Train a network in place.

    Parameters
    ----------
    net : torch.nn.Module
        Fresh; made under `nissl.nets.backend.seeded`.
    known, kept : Windows
        To learn from, and to stop by (other subjects); without `kept` all epochs are run and
        the last state is taken.
    rng : numpy.random.Generator
    recipe : Recipe, optional
    augment : callable, optional
        See `nissl.nets.augment`; none by default.
    loss : callable, optional
        Weighted cross-entropy of scores (n, n_classes, ...) by default.
    progress : Progress, optional
        Told of epochs; what it shows is the rate and the time left.
    checkpoint : Path, optional
        File of the state after each epoch. Where it is there, training goes on from it.

    Raises
    ------
    BadArgumentError
        The checkpoint is of another recipe, other windows, another network or another seed.
    MethodFailedError
        The loss is not finite.
    """
    torch = pytorch()
    plan, told = recipe or Recipe(), progress or Silent()
    seed, where = int(rng.integers(2**31 - 1)), device(plan.device)
    net.to(where)
    score = loss or weighted_loss(known.y, plan.balance, where)
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=plan.decay)
    key = _key(net, known, plan, seed)
    state = _State()
    if checkpoint is not None and checkpoint.is_file():
        state = _resumed(checkpoint, net, optimiser, key)
    told.start("train", float(plan.epochs), "epochs")
    if state.history:
        told.advance("train", float(len(state.history)))
    exact = torch.backends.cudnn.flags(benchmark=False, deterministic=True)
    with torch.random.fork_rng(), exact:
        while len(state.history) < plan.epochs and state.waited < plan.patience:
            epoch = len(state.history)
            mine = np.random.default_rng([seed, epoch])
            torch.manual_seed(int(mine.integers(2**31 - 1)))
            for group in optimiser.param_groups:
                group["lr"] = plan.rate_of(epoch)
            ran = _epoch(net, known, plan, score, optimiser, augment, mine, where)
            torch.manual_seed(seed)  # the same masks and crops each time
            seen = ran if kept is None else _evaluated(net, kept, plan, score, where)
            _noted(state, net, ran, seen, kept is None)
            if checkpoint is not None:
                _write(checkpoint, net, optimiser, state, key)
            told.advance("train", 1.0)
    told.finish("train")
    net.load_state_dict(state.best)
    return Trained(net.to("cpu").eval(), tuple(state.history))


def weighted_loss(y: npt.NDArray[np.int64], balance: float, where: Any) -> Loss:
    """Cross-entropy in which rare classes weigh more; see `Recipe.balance`.

    Parameters
    ----------
    y : ndarray, int64
        Codes to learn from, `IGNORED` where not known.
    balance : float
    where : torch.device
    """
    torch = pytorch()
    codes = y[y != IGNORED]
    if not codes.size:
        raise MissingInputError("labelled windows", "none", "Label some first.")
    counts: list[float] = []

    def score(net: Any, x: Any, target: Any) -> Any:
        said = net(x)
        if not counts:
            counts.extend(np.bincount(codes, minlength=said.shape[1]).tolist())
        weight = torch.as_tensor(_class_weights(np.asarray(counts), balance), device=where)
        weight = weight.to(said.dtype)
        lost = torch.nn.functional.cross_entropy(
            said, target, weight=weight, ignore_index=IGNORED, reduction="sum"
        )
        known = weight[target[target != IGNORED]].sum()
        return lost / known.clamp_min(1e-6)  # a batch without labels costs nothing

    return score


def _class_weights(counts: npt.NDArray[Any], balance: float) -> npt.NDArray[np.float64]:
    """Weights of classes, of mean 1 over the examples; 0 for a class that is not there."""
    there = counts > 0
    weight = np.where(there, np.maximum(counts, 1) / counts.sum(), np.inf) ** -balance
    weight = np.where(there, weight, 0.0)
    return np.asarray(weight * counts.sum() / (weight * counts).sum())


def _epoch(
    net: Any,
    known: Windows,
    plan: Recipe,
    score: Loss,
    optimiser: Any,
    augment: Change | None,
    rng: np.random.Generator,
    where: Any,
) -> float:
    """Run over all windows once; the mean loss."""
    torch = pytorch()
    net.train()
    parts = np.array_split(rng.permutation(len(known.x)), max(1, len(known.x) // plan.batch))
    losses = []
    for rows in parts:
        x, y = known.x[rows], known.y[rows]
        if augment is not None:
            x, y = augment(x, y, rng)
        optimiser.zero_grad()
        with _precision(where):
            got = score(net, *_tensors(x, y, where))
        value = float(got.detach())
        if not np.isfinite(value):
            raise MethodFailedError(
                "a finite loss", f"{value}", "Lower the learning rate, or look at the samples."
            )
        got.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        losses.append(value)
    return float(np.mean(losses))


def _evaluated(net: Any, kept: Windows, plan: Recipe, score: Loss, where: Any) -> float:
    torch = pytorch()
    net.eval()
    parts = np.array_split(np.arange(len(kept.x)), -(-len(kept.x) // plan.batch))
    with torch.no_grad(), _precision(where):
        losses = [float(score(net, *_tensors(kept.x[p], kept.y[p], where))) for p in parts]
    return float(np.nanmean(losses)) if np.isfinite(losses).any() else float("inf")


def _tensors(x: Any, y: Any, where: Any) -> tuple[Any, Any]:
    torch = pytorch()
    samples = torch.as_tensor(np.ascontiguousarray(x, np.float32), device=where)
    kind = np.float32 if y.dtype.kind == "f" else np.int64
    return samples, torch.as_tensor(np.ascontiguousarray(y, kind), device=where)


def _precision(where: Any) -> Any:
    """Half precision on a GPU, where bfloat16 needs no scaling of the loss."""
    torch = pytorch()
    on_gpu = where.type == "cuda"
    return torch.autocast("cuda", dtype=torch.bfloat16) if on_gpu else nullcontext()


def _noted(state: _State, net: Any, ran: float, seen: float, always: bool) -> None:
    state.history.append((ran, seen))
    state.waited += 1
    if always or seen < state.best_loss or not state.best:
        state.best = {k: v.detach().cpu().clone() for k, v in net.state_dict().items()}
        state.best_loss, state.waited = seen, 0


def _key(net: Any, known: Windows, plan: Recipe, seed: int) -> str:
    """Digest of what a run is defined by."""
    facts = {
        "recipe": asdict(plan),
        "seed": seed,
        "shapes": {k: list(v.shape) for k, v in net.state_dict().items()},
        "windows": [list(known.x.shape), list(known.y.shape)],
    }
    text = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    text.update(np.ascontiguousarray(known.y).tobytes())
    text.update(np.ascontiguousarray(known.x[:: max(1, len(known.x) // 16)]).tobytes())
    return text.hexdigest()


def _write(path: Path, net: Any, optimiser: Any, state: _State, key: str) -> None:
    arrays = {f"net/{k}": v.detach().cpu().numpy() for k, v in net.state_dict().items()}
    arrays |= {f"best/{k}": v.numpy() for k, v in state.best.items()}
    for place, values in optimiser.state_dict()["state"].items():
        arrays |= {f"step/{place}/{k}": v.detach().cpu().numpy() for k, v in values.items()}
    header = {
        "key": key,
        "history": state.history,
        "best_loss": state.best_loss,
        "waited": state.waited,
    }
    files.save(path, arrays, header)


def _resumed(path: Path, net: Any, optimiser: Any, key: str) -> _State:
    torch = pytorch()
    arrays, header = files.load(path)
    if header.get("key") != key:
        raise BadArgumentError(
            "the checkpoint of this very training",
            f"{path.name}, of another recipe, network, seed or other windows",
            "Name another file, or delete this one to begin again.",
        )

    def under(prefix: str) -> Mapping[str, Any]:
        return {
            k.removeprefix(prefix): torch.as_tensor(v)
            for k, v in arrays.items()
            if k.startswith(prefix)
        }

    net.load_state_dict(under("net/"))
    steps: dict[int, dict[str, Any]] = {}
    for name, value in under("step/").items():
        place, _, what = name.partition("/")
        steps.setdefault(int(place), {})[what] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": steps, "param_groups": groups})
    history = [(float(a), float(b)) for a, b in header["history"]]
    best = dict(under("best/"))
    return _State(best, float(header["best_loss"]), int(header["waited"]), history)


__all__ = ["IGNORED", "Recipe", "Trained", "Windows", "fit", "weighted_loss"]
