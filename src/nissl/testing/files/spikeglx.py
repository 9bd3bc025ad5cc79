"""Small valid SpikeGLX files: Neuropixels and NIDQ, each a .bin with its .meta."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SYNC_BIT = 6
_AI_RANGE_V = {"NP1000": 0.6, "NP1100": 0.6, "NP2013": 0.62}
_MAX_INT = {"NP1000": 512, "NP1100": 512, "NP2013": 2048}
AP_GAIN, LF_GAIN, NP2_GAIN = 500, 250, 100


def gain_uv(part_number: str = "NP1000", kind: str = "ap") -> float:
    """Microvolts per step of the files that `write_spikeglx` writes."""
    gain = {"NP2013": NP2_GAIN}.get(part_number, AP_GAIN if kind == "ap" else LF_GAIN)
    return _AI_RANGE_V[part_number] / _MAX_INT[part_number] / gain * 1e6


def write_spikeglx(
    folder: Path,
    samples: npt.NDArray[np.int16],
    *,
    sync: npt.ArrayLike | None = None,
    rate_hz: float = 30_000.0,
    part_number: str = "NP1000",
    stream: str = "imec0.ap",
    run: str = "run_g0_t0",
    **meta: Any,
) -> Path:
    """Write one Neuropixels stream and return the path of its .bin.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    samples : ndarray, shape (n_samples, n_channels), int16
        Of the first channels of the probe, at most 384.
    sync : array-like of bool, shape (n_samples,), optional
        Level of the sync input; low throughout by default.
    rate_hz : float
    part_number : {"NP1000", "NP2013", "NP1100"}
        Neuropixels 1.0, 2.0 with four shanks, Ultra.
    stream : str
        Device and band: "imec0.ap", "imec1.lf".
    run : str
        Name of run, gate and trigger: "run_g0_t0".
    **meta
        Further or other lines of the .meta file.
    """
    n_samples, n_channels = samples.shape
    level = np.zeros(n_samples, bool) if sync is None else np.asarray(sync, dtype=bool)
    words = (level.astype(np.int16) << SYNC_BIT)[:, None]
    band = stream.rsplit(".", 1)[-1]
    first = 0 if band == "ap" else 384
    facts: dict[str, Any] = {
        "typeThis": "imec",
        "imSampRate": rate_hz,
        "imAiRangeMax": _AI_RANGE_V[part_number],
        "imAiRangeMin": -_AI_RANGE_V[part_number],
        "imMaxInt": _MAX_INT[part_number],
        "imDatPrb_pn": part_number,
        "imDatPrb_sn": 1,
        "imDatPrb_port": 1,
        "imDatPrb_slot": 2,
        "nSavedChans": n_channels + 1,
        "snsApLfSy": f"{n_channels},0,1" if band == "ap" else f"0,{n_channels},1",
        "snsSaveChanSubset": f"{first}:{first + n_channels - 1},768",
        "~imroTbl": _imro(part_number),
        "~snsChanMap": _channel_map(band.upper(), n_channels),
    }
    if part_number == "NP2013":
        facts["imChan0apGain"] = NP2_GAIN
    return _write(folder, f"{run}.{stream}", np.hstack([samples, words]), {**facts, **meta})


def write_nidq(
    folder: Path,
    analog: npt.NDArray[np.int16],
    *,
    digital: npt.ArrayLike | None = None,
    rate_hz: float = 25_000.0,
    run: str = "run_g0_t0",
    **meta: Any,
) -> Path:
    """Write a NIDQ stream and return the path of its .bin.

    Parameters
    ----------
    folder : Path
    analog : ndarray, shape (n_samples, n_channels), int16
        Analogue auxiliary inputs, ±5 V over 2**15 steps.
    digital : array-like of int, shape (n_samples,), optional
        Words of eight lines, line k in bit k.
    rate_hz : float
    run : str
    **meta
        Further or other lines of the .meta file.
    """
    n_channels = analog.shape[1]
    words = [] if digital is None else [np.asarray(digital).astype(np.int16)[:, None]]
    names = [f"XA{i}" for i in range(n_channels)] + ["XD0"] * len(words)
    facts = {
        "typeThis": "nidq",
        "niSampRate": rate_hz,
        "niAiRangeMax": 5,
        "niAiRangeMin": -5,
        "niMNGain": 200,
        "niMAGain": 1,
        "niXDBytes1": len(words),
        "niXDChans1": "0:7" if words else "",
        "nSavedChans": len(names),
        "snsMnMaXaDw": f"0,0,{n_channels},{len(words)}",
        "snsSaveChanSubset": "all",
        "~snsChanMap": "".join(
            [f"(0,0,1,{len(names)})", *(f"({n};{i}:{i})" for i, n in enumerate(names))]
        ),
    }
    return _write(folder, f"{run}.nidq", np.hstack([analog, *words]), {**facts, **meta})


def _write(folder: Path, stem: str, data: npt.NDArray[Any], facts: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.bin"
    data.astype("<i2").tofile(path)
    said = {
        "fileName": f"D:/data/{path.name}",
        "fileCreateTime": "2024-05-06T07:08:09",
        "fileSizeBytes": path.stat().st_size,
        "firstSample": 0,
        **facts,
    }
    text = "".join(f"{key}={value}\n" for key, value in said.items())
    path.with_suffix(".meta").write_text(text)
    return path


def _imro(part_number: str) -> str:
    if part_number == "NP2013":  # 96 channels of each shank, the lowest electrodes
        rows = [f"({c} {c // 96} 0 0 {c % 96})" for c in range(384)]
        return "".join(["(2013,384)", *rows])
    kind = {"NP1000": 0, "NP1100": 1100}[part_number]
    rows = [f"({c} 0 0 {AP_GAIN} {LF_GAIN} 1)" for c in range(384)]
    return "".join([f"({kind},384)", *rows])


def _channel_map(band: str, n_channels: int) -> str:
    rows = [f"({band}{i};{i}:{i})" for i in range(n_channels)]
    return "".join([f"({n_channels},{n_channels},1)", *rows, f"(SY0;{n_channels}:{n_channels})"])
