"""A small network that says what an event is: noise, a spike, an overlap or an artifact.

Convolutions over time without padding: one set of temporal filters for all channels of a vicinity,
a mixture of these at each sample, and two dilated convolutions, so that what is left of `LENGTH`
samples is one. Longer windows give an answer for every sample that is `LENGTH` // 2 from both ends.
Runs on NumPy alone; `training` has the same in PyTorch.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.screen.vicinity import LENGTH, N_NEAR
from nissl.errors import CorruptSourceError

Array = npt.NDArray[np.float32]

CLASSES = ("noise", "spike", "overlap", "artifact")
TAPS = 15
DILATED = (5, 5)
DILATIONS = (3, 6)
STEP = 3
"""What both are multiples of."""
BATCH = 512
LAYERS = ("mix", "a", "b", "last")
NAMES = ("time", *(f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias")))


@dataclass(frozen=True, eq=False)
class ScreenNetwork:
    """A trained network.

    Parameters
    ----------
    arrays : mapping of str to ndarray, float32
        `time` (n_filters, TAPS); `mix.weight` (width, n_rows * n_filters); `a.weight` and
        `b.weight` (width, width * 5), tap by tap; `last.weight` (4, width); a bias for each but
        the first.
    """

    arrays: Mapping[str, Array] = field(repr=False)

    @property
    def n_parameters(self) -> int:
        """Numbers that were learnt."""
        return sum(int(a.size) for a in self.arrays.values())

    def __call__(self, windows: Array) -> Array:
        """Scores of the classes.

        Parameters
        ----------
        windows : ndarray, shape (n, N_NEAR + 1, at least LENGTH), float32
            From `vicinities`.

        Returns
        -------
        ndarray, shape (n, n_times, 4), float32
            Logits, in the order of `CLASSES`; one time for windows of `LENGTH`.
        """
        parts = [self._answered(windows[i : i + BATCH]) for i in range(0, len(windows), BATCH)]
        if not parts:
            return np.zeros((0, 1, len(CLASSES)), np.float32)
        return np.concatenate(parts)

    def _answered(self, x: Array) -> Array:
        w = self.arrays
        step = STEP if x.shape[2] == LENGTH else 1  # one answer needs every third sample of these
        slid = np.lib.stride_tricks.sliding_window_view(x, TAPS, axis=2)[:, :, ::step]
        h: Array = slid @ w["time"].T  # (n, rows, times, filters)
        h = h.transpose(0, 2, 1, 3).reshape(len(x), h.shape[2], -1)
        mixed: Array = h @ w["mix.weight"].T + w["mix.bias"]
        h = _positive(mixed)
        for name, taps, apart in zip("ab", DILATED, DILATIONS, strict=True):
            dilation = apart // step
            n = h.shape[1] - (taps - 1) * dilation
            late = [h[:, k * dilation : k * dilation + n] for k in range(taps)]
            many: Array = np.concatenate(late, axis=2)
            more: Array = many @ w[f"{name}.weight"].T + w[f"{name}.bias"]
            h = h[:, (taps // 2) * dilation :][:, :n] + _positive(more)
        return np.asarray(h @ w["last.weight"].T + w["last.bias"], np.float32)


def probabilities(logits: Array) -> Array:
    """Softmax along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-1e30))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)


def _positive(x: Array) -> Array:
    return np.maximum(x, 0, out=x)


def to_int8(network: ScreenNetwork) -> dict[str, npt.NDArray[np.generic]]:
    """Arrays with weights of eight bits: a scale for each row, symmetric about 0."""
    out: dict[str, npt.NDArray[np.generic]] = {}
    for name, array in network.arrays.items():
        if array.ndim == 1:
            out[name] = array
            continue
        scale = np.abs(array).max(axis=1, keepdims=True) / 127
        scale = np.maximum(scale, 1e-12).astype(np.float32)
        out[name] = np.round(array / scale).astype(np.int8)
        out[f"{name}.scale"] = scale
    return out


def from_arrays(arrays: Mapping[str, npt.NDArray[np.generic]]) -> ScreenNetwork:
    """A network from arrays in single precision, or from those of `to_int8`.

    Raises
    ------
    CorruptSourceError
        Arrays that are missing, or whose shapes do not fit each other.
    """
    made: dict[str, Array] = {}
    for name in NAMES:
        if name not in arrays:
            raise _damaged(f"no array {name!r}")
        made[name] = np.asarray(arrays[name], np.float32)
        if f"{name}.scale" in arrays:
            made[name] = made[name] * np.asarray(arrays[f"{name}.scale"], np.float32)
    width = made["mix.weight"].shape[0]
    expected = {
        "time": (made["time"].shape[0], TAPS),
        "mix.weight": (width, (N_NEAR + 1) * made["time"].shape[0]),
        "a.weight": (width, width * DILATED[0]),
        "b.weight": (width, width * DILATED[1]),
        "last.weight": (len(CLASSES), width),
    }
    for name, shape in expected.items():
        if made[name].shape != shape:
            raise _damaged(f"{name!r} of shape {made[name].shape}, not {shape}")
    return ScreenNetwork(made)


def to_safetensors(
    arrays: Mapping[str, npt.NDArray[np.generic]], about: Mapping[str, str]
) -> bytes:
    """Arrays in the format of safetensors: a header of JSON, then the numbers."""
    header: dict[str, object] = {"__metadata__": dict(about)}
    parts: list[bytes] = []
    place = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        kind = {"float32": "F32", "int8": "I8"}[array.dtype.name]
        content = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [place, place + len(content)],
        }
        parts.append(content)
        place += len(content)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def from_safetensors(content: bytes) -> dict[str, npt.NDArray[np.generic]]:
    """Inverse of `to_safetensors`, without the metadata.

    Raises
    ------
    CorruptSourceError
        Bytes that are not such a file.
    """
    try:
        (size,) = struct.unpack_from("<Q", content)
        header = json.loads(content[8 : 8 + size])
        header.pop("__metadata__", None)
        out: dict[str, npt.NDArray[np.generic]] = {}
        for name, facts in header.items():
            start, stop = facts["data_offsets"]
            kind = {"F32": "<f4", "I8": "<i1"}[facts["dtype"]]
            values = np.frombuffer(content[8 + size + start : 8 + size + stop], kind)
            out[name] = values.reshape(facts["shape"])
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(f"{type(error).__name__}: {error}"[:200]) from None
    return out


def _damaged(got: str) -> CorruptSourceError:
    return CorruptSourceError(
        "weights of the sorter's screen (safetensors)", got, "Install nissl again, or train anew."
    )
