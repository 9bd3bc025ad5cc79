"""Small valid recordings of Open Ephys' binary format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Edges = Mapping[int, tuple[npt.ArrayLike, npt.ArrayLike]]

_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<SETTINGS>
  <INFO>
    <VERSION>0.6.4</VERSION>
    <DATE>6 May 2024 7:08:09</DATE>
    <MACHINE name="{machine}"/>
  </INFO>
  <SIGNALCHAIN>{processor}</SIGNALCHAIN>
</SETTINGS>
"""
_PROBE = """
    <PROCESSOR name="Neuropix-PXI" libraryVersion="0.7.0" nodeId="100">
      <STREAM name="{stream}"/>
      <EDITOR>
        <NP_PROBE slot="2" port="1" probe_serial_number="1" probe_part_number="{part_number}">
          <SELECTED_ELECTRODES {electrodes}/>
        </NP_PROBE>
      </EDITOR>
    </PROCESSOR>
  """


def write_openephys(
    folder: Path,
    samples: npt.NDArray[np.int16],
    *,
    rate_hz: float = 30_000.0,
    numbers: npt.ArrayLike | None = None,
    ttl: Edges | None = None,
    **options: Any,
) -> Path:
    """Write one recording of one stream; return the root folder that was given.

    Parameters
    ----------
    folder : Path
        Root; the recording goes to "Record Node 101/experiment1/recording1" below it.
    samples : ndarray, shape (n_samples, n_channels), int16
    rate_hz : float
    numbers : array-like of int, shape (n_samples,), optional
        Sample numbers of the device; a step of more than one is a gap. From 0 by default.
    ttl : mapping of int to (rising, falling), optional
        Edges of each line (numbered from 0), as sample numbers of the device.
    **options
        names : channel names ("CH1", ...; "ADC1" are inputs in volts);
        stream : name of the stream ("example_data"); bit_volts : uV (or V) per step (0.195);
        node, experiment, recording : numbers of the folders (101, 1, 1);
        machine : name of the acquisition computer in settings.xml;
        part_number : Neuropixels probe whose first electrodes these are ("NP1000").
    """
    n_samples, n_channels = samples.shape
    names = list(options.get("names", [f"CH{i + 1}" for i in range(n_channels)]))
    stream = options.get("stream", "example_data")
    node = folder / f"Record Node {options.get('node', 101)}"
    target = node / f"experiment{options.get('experiment', 1)}"
    target = target / f"recording{options.get('recording', 1)}"
    name = f"Source-100.{stream}"
    count = np.arange(n_samples) if numbers is None else np.asarray(numbers)
    continuous = target / "continuous" / name
    continuous.mkdir(parents=True)
    samples.astype("<i2").tofile(continuous / "continuous.dat")
    np.save(continuous / "sample_numbers.npy", count.astype(np.int64))
    np.save(continuous / "timestamps.npy", count / rate_hz)
    oebin = {
        "GUI version": "0.6.4",
        "continuous": [_continuous(name, stream, rate_hz, names, options.get("bit_volts", 0.195))],
        "events": [_write_ttl(target, name, stream, rate_hz, ttl)] if ttl is not None else [],
        "spikes": [],
    }
    (target / "structure.oebin").write_text(json.dumps(oebin, indent=1))
    electrodes = " ".join(f'E{i}="{i}"' for i in range(n_channels))
    part_number = options.get("part_number")
    probe = _PROBE.format(stream=stream, part_number=part_number, electrodes=electrodes)
    settings = _SETTINGS.format(
        machine=options.get("machine", "rig"), processor=probe if part_number else ""
    )
    (node / "settings.xml").write_text(settings)
    return folder


def _continuous(
    name: str, stream: str, rate_hz: float, names: Sequence[str], bit_volts: float
) -> dict[str, Any]:
    channels = [
        {
            "channel_name": each,
            "description": "",
            "bit_volts": bit_volts,
            "units": "V" if each.startswith("ADC") else "uV",
        }
        for each in names
    ]
    return {
        "folder_name": f"{name}/",
        "sample_rate": rate_hz,
        "source_processor_name": "Source",
        "source_processor_id": 100,
        "stream_name": stream,
        "num_channels": len(names),
        "channels": channels,
    }


def _write_ttl(
    target: Path, name: str, stream: str, rate_hz: float, ttl: Edges | None
) -> dict[str, Any]:
    rows = sorted(
        (int(sample), sign * (line + 1))
        for line, edges in (ttl or {}).items()
        for sign, samples in zip((1, -1), edges, strict=True)
        for sample in np.asarray(samples).tolist()
    )
    folder = target / "events" / name / "TTL"
    folder.mkdir(parents=True)
    numbers = np.asarray([sample for sample, _ in rows], dtype=np.int64)
    np.save(folder / "sample_numbers.npy", numbers)
    np.save(folder / "timestamps.npy", numbers / rate_hz)
    np.save(folder / "states.npy", np.asarray([state for _, state in rows], dtype=np.int16))
    return {
        "folder_name": f"{name}/TTL/",
        "sample_rate": rate_hz,
        "stream_name": stream,
        "channel_name": "TTL",
        "type": "int16",
    }
