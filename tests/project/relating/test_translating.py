"""Signals of several rates and devices: one predicted from another, or refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import nissl
from nissl.cli import app
from nissl.errors import BadArgumentError, BadLabelsError, NisslError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.project.adding import keep
from nissl.project.relating import together
from nissl.sync import ClockMap

DRIFT = 1.004
N_WINDOWS, LASTS_S = 12, 8.0


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Two EEG devices that hear one slow process; the second one's clock runs fast."""
    folder = tmp_path_factory.mktemp("signals")
    rng = np.random.default_rng(0)
    lasts = N_WINDOWS * LASTS_S + 4
    fine = np.arange(0, lasts, 0.005)
    kernel = np.exp(-0.5 * (np.arange(-60, 61) / 20) ** 2)
    process = np.stack([np.convolve(v, kernel, "same") for v in rng.normal(size=(2, len(fine)))], 1)

    def heard(rate_hz: float, speed: float, n: int, ids: list[str]) -> dict[str, object]:
        at = np.arange(int(lasts * rate_hz)) / rate_hz / speed
        now = np.stack([np.interp(at, fine, v) for v in process.T], axis=1)
        mixed = now @ rng.normal(size=(2, n))
        noise = 0.3 * mixed.std() * rng.normal(size=mixed.shape)
        return {
            "data": (mixed + noise).astype(np.float32),
            "rate_hz": rate_hz,
            "channel_ids": np.array(ids),
        }

    np.savez(folder / "one.npz", **heard(200.0, 1.0, 3, ["Fz", "Cz", "Pz"]))
    np.savez(folder / "two.npz", **heard(250.0, DRIFT, 4, ["F3", "F4", "C3", "C4"]))
    project = nissl.open(folder / "study")
    for name in ("one", "two"):
        project.add(folder / f"{name}.npz")
    table = folder / "windows.csv"
    lines = [f"{1 + k * LASTS_S},{LASTS_S},rest" for k in range(N_WINDOWS)]
    table.write_text("\n".join(["onset,duration,stimulus", *lines]) + "\n")
    return SimpleNamespace(project=project, table=table, folder=folder)


def test_clocks_that_nobody_mapped_are_refused(study: SimpleNamespace) -> None:
    with pytest.raises(BadArgumentError, match="nissl sync"):
        study.project.translate("one", "two", study.table)
    said = CliRunner().invoke(
        app, ["translate", str(study.folder / "study"), "one", "two", "--windows", str(study.table)]
    )
    assert "not mapped" in str(said.exception)


def test_signals_of_two_devices_are_translated_on_mapped_clocks(
    study: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"bin_s": 0.1, "permutations": 9, "lags": (0,)}
    wrong = study.project.translate("one", "two", study.table, same_clock=True, **options)
    ends = np.array([0.0, 50.0, 200.0])
    monkeypatch.setattr(together, "clock_between", lambda *_: ClockMap.through(ends, ends * DRIFT))
    found = study.project.translate("one", "two", study.table, out=study.folder / "map", **options)
    assert found.translation.overall > 0.7
    assert found.translation.p == pytest.approx(0.1)
    assert wrong.translation.overall < found.translation.overall - 0.1
    facts = json.loads((study.folder / "map" / "facts.json").read_text())
    assert facts["signals"] == ["eeg", "eeg"]
    with np.load(study.folder / "map" / "map.npz", allow_pickle=False) as held:
        assert held["source_scale"].shape == (3,)
    late = study.folder / "late.csv"
    lines = study.table.read_text().splitlines()
    late.write_text("\n".join([*lines[:-1], f"{1 + 11 * LASTS_S + 2.7},{LASTS_S},rest"]) + "\n")
    monkeypatch.setattr(together, "clock_between", lambda *_: ClockMap.offset(0.0, 1.0))
    some = study.project.translate("one", "two", late, **options)
    assert [f.sentence for f in some.findings if f.check == "overlap"] == [
        "1 windows were left out, for two did not record them whole."
    ]
    monkeypatch.setattr(together, "clock_between", lambda *_: ClockMap.offset(0.0, 500.0))
    with pytest.raises(BadArgumentError, match="There is no overlap"):
        study.project.translate("one", "two", study.table, **options)
    shaky = ClockMap.through(np.arange(20.0), np.arange(20.0) + np.tile([0, 0.2], 10))
    monkeypatch.setattr(together, "clock_between", lambda *_: shaky)
    with pytest.raises(BadArgumentError, match="half a bin"):
        study.project.translate("one", "two", study.table, **options)


def test_envelopes_of_bands_and_bad_ones(study: SimpleNamespace) -> None:
    options = {"bin_s": 0.2, "permutations": 3, "lags": (0,)}
    found = study.project.translate(
        "one", "one", study.table, bands=("2-4", None), out=study.folder / "band", **options
    )
    assert found.translation.overall < 0.5
    assert json.loads((study.folder / "band" / "facts.json").read_text())["bands"] == ["2-4", None]
    for band in ("8", "12-8", "8-400"):
        with pytest.raises(BadArgumentError, match="as 8-12"):
            study.project.translate("one", "one", study.table, bands=(band, None), **options)
    with pytest.raises(NisslError, match="one of the streams"):
        study.project.translate("one", "one", study.table, streams=("lf", None), **options)


def test_no_window_and_too_few_are_refused(study: SimpleNamespace) -> None:
    empty, few = study.folder / "empty.csv", study.folder / "few.csv"
    empty.write_text("onset,duration,stimulus\n")
    few.write_text("\n".join(study.table.read_text().splitlines()[:5]) + "\n")
    with pytest.raises(BadLabelsError):
        study.project.translate("one", "one", empty)
    with pytest.raises(BadArgumentError, match="record more windows"):
        study.project.translate("one", "one", few)
    with pytest.raises(BadArgumentError, match="name more of them"):
        study.project.carry("one", "one", few)


def test_silent_signals_are_refused(study: SimpleNamespace, tmp_path: Path) -> None:
    flat = np.zeros((22000, 2), np.float32)
    np.savez(tmp_path / "flat.npz", data=flat, rate_hz=200.0, channel_ids=np.array(["O1", "O2"]))
    study.project.add(tmp_path / "flat.npz")
    with pytest.raises(BadArgumentError, match="never changes"):
        study.project.translate("flat", "one", study.table, same_clock=True)


def test_a_field_tells_of_spikes_and_spikes_of_the_field(tmp_path: Path) -> None:
    """Units fire more in the troughs of a slow field that two electrodes hear."""
    rng = np.random.default_rng(5)
    rate_hz, lasts = 250.0, N_WINDOWS * LASTS_S + 4
    kernel = np.exp(-0.5 * (np.arange(-50, 51) / 15) ** 2)
    field = np.convolve(rng.normal(size=int(lasts * rate_hz)), kernel, "same")
    field /= field.std()
    mixed = field[:, None] * [1.0, 0.7] + 0.3 * rng.normal(size=(len(field), 2))
    np.savez(
        tmp_path / "field.npz",
        data=mixed.astype(np.float32),
        rate_hz=rate_hz,
        channel_ids=np.array(["C3", "C4"]),
    )
    raw = rng.normal(size=(len(field) * 4, 2)).astype(np.float32)
    np.savez(tmp_path / "units.npz", data=raw, rate_hz=4 * rate_hz)
    project = nissl.open(tmp_path / "study")
    project.add(tmp_path / "field.npz")
    source = project.add(tmp_path / "units.npz")
    fires = rng.random((len(field), 3)) < 0.08 * np.exp(-1.2 * field)[:, None]
    at, unit = np.nonzero(fires)
    columns = {"item": unit + 1, "label": np.zeros(len(at), int), "sample": 4 * at}
    made = Provenance(
        "spikes",
        source.fingerprint,
        Author("model", "simulation", "1"),
        next(iter(source.row.streams)),
    )
    keep(project.store, LabelSet.build(Kind.EVENTS, columns, ("unit",), made))
    table = tmp_path / "windows.csv"
    lines = [f"{1 + k * LASTS_S},{LASTS_S},rest" for k in range(N_WINDOWS)]
    table.write_text("\n".join(["onset,duration,stimulus", *lines]) + "\n")
    options = {"bin_s": 0.1, "permutations": 9, "lags": (0,), "same_clock": True}
    for a, b, least in (("field", "units", 0.2), ("units", "field", 0.5)):
        found = project.translate(a, b, table, out=tmp_path / a, **options)
        assert found.translation.overall > least
        assert found.translation.p == pytest.approx(0.1)
        assert found.translation.overall > found.translation.scrambled.mean() + 0.1
