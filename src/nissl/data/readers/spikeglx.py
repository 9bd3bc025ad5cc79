"""SpikeGLX: Neuropixels, NIDQ and OneBox files, alone or the folder of a run.

A ``.bin`` file is opened alone; a folder gives every stream below it, and the triggers of a
stream as its segments. Streams are named "ap", "lf", "nidq" ("imec0.ap", ... where there are
several probes). The last channel of a probe's file is no signal: its bit 6, the sync input,
becomes the line "sync" ("imec0.sync"); digital NIDQ lines are "nidq.XD0" and so on.

Samples are read by positioned reads, not through a memory map. Gains follow SpikeGLX's
Metadata help (uV = step * imAiRangeMax / imMaxInt / gain); positions, shanks and the ADC
table come from probeinterface's catalogue of probes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.channels import ChannelTable
from nissl.data.files import FilePart, FramesReader, whole_frames
from nissl.data.lines import Line, ScannedLine, WordScan
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import Session
from nissl.data.signal import Signal
from nissl.errors import BadArgumentError, BadMetadataError, CorruptSourceError

_NAME = re.compile(
    r"(?P<run>.+?)(_t(?P<trigger>\d+|cat))?\.(?P<device>imec\d*|nidq|obx\d*)(\.(?P<band>ap|lf|obx))?"
)
_SYNC_BIT = 6
_MOST_LINES = 32
_SAMPLE_TYPE = "<i2"


@dataclass(frozen=True)
class BinFile:
    """One .bin with its header.

    Parameters
    ----------
    path : Path
    run : str
        Run and gate ("run_g0").
    device, band : str
        "imec0" and "ap"; the band of NIDQ is "".
    meta : dict
        Lines of the .meta file.
    """

    path: Path
    run: str
    device: str
    band: str
    meta: dict[str, str]

    @property
    def stream(self) -> str:
        """Device and band."""
        return f"{self.device}.{self.band}" if self.band in ("ap", "lf") else self.device

    @property
    def rate_hz(self) -> float:
        """Samples per second, as calibrated by SpikeGLX."""
        key = {"n": "niSampRate", "o": "obSampRate"}.get(self.device[0], "imSampRate")
        return float(self.meta[key])

    @property
    def n_columns(self) -> int:
        """Values in a frame."""
        return int(self.meta["nSavedChans"])

    @property
    def t0_s(self) -> float:
        """Time of the first sample, seconds on the device's clock."""
        return float(self.meta.get("firstSample", 0)) / self.rate_hz


class SpikeGlxReader:
    """Reads files ``*.ap.bin``, ``*.lf.bin``, ``*.nidq.bin``, ``*.obx.bin`` and folders of them."""

    name = "spikeglx"
    takes: frozenset[str] = frozenset()

    def matches(self, path: Path) -> bool:
        """Whether the name is one SpikeGLX gives, or the folder holds such files."""
        if path.is_file():
            return path.suffix in (".bin", ".meta") and _NAME.fullmatch(path.stem) is not None
        return path.is_dir() and next(_bin_files(path), None) is not None

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open one file, or every stream of a folder."""
        paths = [path.with_suffix(".bin")] if path.is_file() else sorted(_bin_files(path))
        files = [read_header(p) for p in paths]
        runs = sorted({re.sub(r"_g\d+$", "", file.run) for file in files})
        if len(runs) > 1:
            raise BadArgumentError(
                f"one run in {path.name}", f"the runs {runs}", "Give the folder of one run."
            )
        groups: dict[str, list[BinFile]] = {}
        for file in files:
            groups.setdefault(file.stream, []).append(file)
        several = len({f.device for f in files if f.device.startswith("imec")}) > 1
        streams: list[Signal] = []
        lines: list[Line] = []
        for stream in sorted(groups):
            parts = sorted(groups[stream], key=lambda file: file.t0_s)
            signal, found = _open_stream(parts, groups)
            if not several and signal.name.startswith("imec"):
                signal = replace(signal, name=signal.name.split(".", 1)[1])
                found = [replace_name(line, line.name.split(".", 1)[1]) for line in found]
            streams.append(signal)
            lines += [line for line in found if line.name not in {other.name for other in lines}]
        day = files[0].meta.get("fileCreateTime", "")[:10]
        session = Session(id=runs[0], day=day if re.fullmatch(r"\d{4}-\d\d-\d\d", day) else None)
        return Opened(tuple(streams), tuple(paths), tuple(lines), session=session)


def replace_name(line: Line, name: str) -> Line:
    """Return the same line under another name, still not scanned."""
    if isinstance(line, ScannedLine):
        return ScannedLine(name, vars(line)["_scan"], vars(line)["_bit"])
    return replace(line, name=name)


def read_header(path: Path) -> BinFile:
    """Header of a .bin from the .meta beside it.

    Raises
    ------
    CorruptSourceError
        Either file is missing, or the size differs from what the header says.
    BadMetadataError
        The header lacks what is needed.
    """
    header = path.with_suffix(".meta")
    for part, other in ((path, header), (header, path)):
        if not part.is_file():
            raise CorruptSourceError(
                f"{part.name} beside {other.name}",
                "no such file",
                "Copy both files of the recording into one folder.",
            )
    meta: dict[str, str] = {}
    for row in header.read_text(encoding="utf-8", errors="replace").splitlines():
        key, sign, value = row.partition("=")
        if sign:
            meta[key.strip().lstrip("~")] = value.strip()
    name = _NAME.fullmatch(path.stem)
    needed = ["nSavedChans", "snsChanMap"]
    if name is None or any(key not in meta for key in needed):
        raise BadMetadataError(
            f"the lines {needed} in {header.name}",
            "a header without them",
            "Copy the .meta file again from the acquisition computer.",
        )
    file = BinFile(path, name["run"], name["device"], name["band"] or "", meta)
    said = meta.get("fileSizeBytes")
    size = path.stat().st_size
    if size and said is not None and int(said) != size:
        raise CorruptSourceError(
            f"{said} bytes in {path.name}, as its .meta says",
            f"{size}",
            "The file is truncated or belongs to another .meta; copy both again.",
        )
    return file


def _bin_files(folder: Path) -> Any:
    """Files of SpikeGLX at most two folders down, as a run keeps them."""
    for pattern in ("*.bin", "*/*.bin", "*/*/*.bin"):
        for path in folder.glob(pattern):
            if _NAME.fullmatch(path.stem) and path.with_suffix(".meta").is_file():
                yield path


def _open_stream(
    parts: Sequence[BinFile], groups: dict[str, list[BinFile]]
) -> tuple[Signal, list[Line]]:
    first = parts[0]
    n_columns = first.n_columns
    if n_columns < 1 or any(p.n_columns != n_columns or p.rate_hz != first.rate_hz for p in parts):
        raise BadMetadataError(
            f"one channel count and rate in all files of {first.stream}",
            f"{[(p.n_columns, p.rate_hz) for p in parts]}",
            "Give the files one by one.",
        )
    lengths = [whole_frames(p.path, 2 * n_columns) for p in parts]
    files = tuple(FilePart(str(p.path), 0, n) for p, n in zip(parts, lengths, strict=True))
    clock = Clock.from_segments(first.rate_hz, lengths, [p.t0_s for p in parts])
    names = _channel_names(first)
    if len(names) != n_columns:
        raise BadMetadataError(
            f"{n_columns} channels in snsChanMap", f"{len(names)}", "Copy the .meta file again."
        )
    signals = [i for i, name in enumerate(names) if not name.startswith(("SY", "XD"))]
    words = [i for i, name in enumerate(names) if name.startswith("XD")]
    lines = _digital_lines(first, files, clock, words)
    if "SY0" in names and first.band != "":
        scan = _scan(files, n_columns, names.index("SY0"), clock)
        lines.append(ScannedLine(f"{first.device}.sync", scan, _SYNC_BIT))
    columns = signals or words
    table = _channels(first, [names[i] for i in columns], groups, digital=not signals)
    reader = FramesReader(files, _SAMPLE_TYPE, n_columns, tuple(columns))
    return Signal(first.stream, reader, table, clock, _facts(first)), lines


def _channel_names(file: BinFile) -> list[str]:
    """Names from "(a,b,c)(AP0;0:0)(AP1;1:1)...", made unique where words repeat."""
    rows = re.findall(r"\(([^()]*)\)", file.meta["snsChanMap"])[1:]
    return [row.split(";")[0] for row in rows]


def _facts(file: BinFile) -> dict[str, Any]:
    """Facts of the device; nothing a person wrote."""
    wanted = {"probe_part_number": "imDatPrb_pn", "probe_serial_number": "imDatPrb_sn"}
    wanted |= {"slot": "imDatPrb_slot", "port": "imDatPrb_port"}
    facts = {name: file.meta[key] for name, key in wanted.items() if key in file.meta}
    return {"device": file.device, **facts}


def _scan(files: tuple[FilePart, ...], n_columns: int, column: int, clock: Clock) -> WordScan:
    reader = FramesReader(files, _SAMPLE_TYPE, n_columns, (column,))
    return WordScan(reader, clock, reader.frame_bytes)


def _digital_lines(
    file: BinFile, files: tuple[FilePart, ...], clock: Clock, words: Sequence[int]
) -> list[Line]:
    """Lines of the digital words, 16 in each."""
    scans = [_scan(files, file.n_columns, column, clock) for column in words]
    numbers = _ranges(file.meta.get("niXDChans1", "")) if file.device == "nidq" else []
    numbers = numbers or list(range(16 * len(words)))
    return [
        ScannedLine(f"{file.device}.XD{n}", scans[n // 16], n % 16)
        for n in numbers
        if n // 16 < len(scans)
    ]


def _ranges(text: str) -> list[int]:
    """Numbers of "0:3,6", as far as a device can have lines."""
    out: list[int] = []
    for item in filter(None, text.replace(" ", "").split(",")):
        first, _, last = item.partition(":")
        out += range(int(first), min(int(last or first), _MOST_LINES) + 1)
    return out


def _channels(
    file: BinFile, names: Sequence[str], groups: dict[str, list[BinFile]], *, digital: bool
) -> ChannelTable:
    if digital:
        return ChannelTable.plain(_unique(names), kind="digital")
    if not file.device.startswith("imec"):
        return ChannelTable.plain(_unique(names), gain_uv=_aux_gain(file, len(names)), kind="aux")
    header = file
    if file.band == "lf":  # which electrodes were saved stands in the other band's header
        header = next(iter(groups.get(f"{file.device}.ap", [])), _sibling(file))
    return _probe_channels(file, header, names)


def _sibling(file: BinFile) -> BinFile:
    path = file.path.with_name(file.path.name.replace(".lf.bin", ".ap.meta"))
    if not path.is_file():
        raise CorruptSourceError(
            f"{path.name} beside {file.path.name}, which says where its contacts are",
            "no such file",
            "Copy the .ap.meta into the same folder.",
        )
    return replace(file, path=path.with_suffix(".bin"))


def _probe_channels(file: BinFile, header: BinFile, names: Sequence[str]) -> ChannelTable:
    import probeinterface

    from nissl.data.si_probe import sample_phase, table_of_probe

    probe = probeinterface.read_spikeglx(header.path.with_suffix(".meta"))
    own = _gains(file, probe)
    bits = int(probe.annotations.get("adc_bit_depth", 10))
    steps = float(file.meta.get("imMaxInt", 2 ** (bits - 1)))
    volts = float(file.meta["imAiRangeMax"])
    gain_uv = volts / steps / np.asarray(own, dtype=np.float64) * 1e6
    kind = "ephys" if file.band == "ap" else "lfp"
    return table_of_probe(probe, _unique(names), gain_uv, kind, sample_phase(probe))


def _gains(file: BinFile, probe: Any) -> Any:
    """Amplification of each channel; Neuropixels 2.0 has one that cannot be changed."""
    each = probe.contact_annotations.get(f"{file.band}_gains")
    if each is not None:
        return each
    if "imChan0apGain" in file.meta:
        return file.meta["imChan0apGain"]
    # a band that CatGT cut out of a full-band recording has that recording's gain
    own_lf = file.band == "lf" and probe.annotations.get("lf_sample_frequency_hz", 0) > 0
    return probe.annotations["lf_gain" if own_lf else "ap_gain"]


def _aux_gain(file: BinFile, n: int) -> npt.NDArray[np.float64]:
    """Microvolts per step of analogue inputs of NIDQ and OneBox."""
    meta = file.meta
    if file.device.startswith("obx"):
        return np.full(n, float(meta["obAiRangeMax"]) / float(meta["obMaxInt"]) * 1e6)
    mn, ma, *_ = (int(v) for v in meta["snsMnMaXaDw"].split(","))
    gain = np.ones(n)
    gain[:mn] = float(meta.get("niMNGain", 1))
    gain[mn : mn + ma] = float(meta.get("niMAGain", 1))
    steps = float(meta.get("niMaxInt", 32768))
    return float(meta["niAiRangeMax"]) / steps / gain * 1e6


def _unique(names: Sequence[str]) -> list[str]:
    out: list[str] = []
    for name in names:
        out.append(
            name if name not in out else f"{name}.{sum(n == name for n in names[: len(out)])}"
        )
    return out


READER = SpikeGlxReader()
