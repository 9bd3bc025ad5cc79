"""Every built-in reader through the contract suite."""

import json
import warnings

import numpy as np
import pytest

from nissl.data.readers import READERS, Reader
from nissl.testing.files import (
    EdfSignal,
    write_blackrock_nev,
    write_blackrock_nsx,
    write_brainvision,
    write_edf,
    write_eeglab,
    write_gdf,
    write_intan_rhd,
    write_nidq,
    write_nwb,
    write_openephys,
    write_spikeglx,
)
from nissl.testing.files.blackrock import analog_gain_uv
from nissl.testing.files.spikeglx import gain_uv
from nissl.testing.readers import Example, ReaderTests


def noise(n_samples=160, n_channels=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-500, 500, (n_samples, n_channels)).astype(np.int16)


def test_each_reader_fulfils_the_protocol():
    for name in READERS:
        reader = READERS.get(name)
        assert isinstance(reader, Reader)
        assert reader.name == name


class TestRaw(ReaderTests):
    def make(self, folder):
        folder.mkdir(exist_ok=True)
        noise().astype("<i2").tofile(folder / "x.dat")
        facts = {"rate_hz": 1e4, "n_channels": 4, "gain_uv": 0.5, "channel_ids": list("abcd")}
        (folder / "x.json").write_text(json.dumps(facts))
        return Example("raw", folder / "x.dat", {"raw": noise() * 0.5})


def test_raw_with_segments(tmp_path):
    import nissl
    from nissl.errors import BadMetadataError

    noise().astype("<i2").tofile(tmp_path / "x.dat")
    facts = {"rate_hz": 10.0, "n_channels": 4, "gain_uv": 0.5}

    def opened(segments):
        (tmp_path / "x.json").write_text(json.dumps(facts | {"segments": segments}))
        return nissl.read(tmp_path / "x.dat").clock.segments

    assert [(s.start, s.t0_s) for s in opened([[0, 0.0], [100, 12.5]])] == [(0, 0.0), (100, 12.5)]
    assert len(opened([[0, 0.0], [160, 40.0]])) == 1  # nothing came after the gap
    for wrong in ([[1, 0.0]], [], [[0]], "x", [[0, 0.0], [100, 9.0], [50, 20.0]], [[0, 0], [9, 0]]):
        with pytest.raises(BadMetadataError):
            opened(wrong)


class TestNpy(ReaderTests):
    def make(self, folder):
        folder.mkdir(exist_ok=True)
        np.save(folder / "x.npy", noise().T)
        return Example(
            "numpy",
            folder / "x.npy",
            {"signal": noise() * 0.5},
            {"rate_hz": 1e4, "gain_uv": 0.5},
        )


class TestNpz(ReaderTests):
    def make(self, folder):
        folder.mkdir(exist_ok=True)
        np.savez_compressed(folder / "x.npz", data=noise(), fs=1e4, gain_uv=0.5)
        return Example("numpy", folder / "x.npz", {"signal": noise() * 0.5})


class TestSpikeGlx(ReaderTests):
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("probeinterface")

    def make(self, folder):
        sync = np.arange(160) % 40 > 20
        write_spikeglx(folder / "imec0", noise(), sync=sync)
        write_nidq(folder, noise(130, 1), digital=np.arange(130) % 7)
        expected = {"ap": noise() * gain_uv(), "nidq": noise(130, 1) * (5e6 / 32768)}
        return Example("spikeglx", folder, expected, atol_uv=0.5)


class TestOpenEphys(ReaderTests):
    def make(self, folder):
        numbers = np.arange(160) + 9 * (np.arange(160) > 99)
        ttl = {0: ([12, 150], [60])}
        names = ["CH1", "CH2", "CH3", "ADC1"]
        write_openephys(folder, noise(), numbers=numbers, ttl=ttl, names=names)
        expected = {
            "example_data": noise()[:, :3] * 0.195,
            "example_data.aux": noise()[:, 3:] * 0.195e6,
        }
        return Example("openephys", folder, expected, atol_uv=10.0)


class TestIntan(ReaderTests):
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("spikeinterface")

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        samples = (noise(256).astype(np.int32) + 32768).astype(np.uint16)
        digital = np.arange(256).astype(np.uint16) // 50
        write_intan_rhd(folder / "x.rhd", samples, digital=digital)
        return Example("intan", folder / "x.rhd", {"amplifier": noise(256) * 0.195})


class TestBlackrock(ReaderTests):
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("spikeinterface")

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        write_blackrock_nsx(folder / "x.ns5", [(0, noise()[:90]), (9000, noise()[90:])])
        write_blackrock_nev(folder / "x.nev", [(5, 1), (30, 0)])
        gain = analog_gain_uv("elec1")
        return Example("blackrock", folder / "x.ns5", {"ns5": noise() * gain})


class TestEdf(ReaderTests):
    """Two rates, annotations and a gap."""

    bdf = False

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        fast = [EdfSignal(f"EEG {name}", noise(160, 1, k)[:, 0], 40) for k, name in enumerate("ab")]
        slow = EdfSignal("SaO2", noise(4, 1)[:, 0], 1, "%", ("0", "100"))
        path = write_edf(
            folder / ("x.bdf" if self.bdf else "x.edf"),
            [fast[0], slow, fast[1]],
            annotations=[(0.5, None, "Lights off"), (1.0, 2.0, "spindle@@EEG a")],
            onsets_s=[0, 1, 7.5, 8.5],
            bdf=self.bdf,
        )
        expected = np.stack([s.samples for s in fast], axis=1) * 0.1
        spo2 = (slow.samples[:, None] + 32768.0) * (100 / 65535)
        return Example("edf", path, {"40Hz": expected, "1Hz": spo2}, atol_uv=0.01)


class TestBdf(TestEdf):
    bdf = True


NAMES = ["Fp1", "EOG horizontal", "C3", "foo"]


class TestBrainVision(ReaderTests):
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("mne")

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        segments = ((0, "20200301223000000000"), (90, "20200301224000000000"))
        path = write_brainvision(
            folder / "x.vhdr", noise(), NAMES, 100, marks=[(5, "S 1")], segments=segments
        )
        return Example("mne", path, {"signal": noise() * 0.5})


class TestEeglab(ReaderTests):
    inside = False

    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("mne")

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        samples = (noise() * 0.5).astype(np.float32)
        marks = [(5, "go"), (77, "stop")]
        path = write_eeglab(folder / "x.set", samples, NAMES, 100, marks=marks, inside=self.inside)
        return Example("mne", path, {"signal": samples})


class TestEeglabInside(TestEeglab):
    inside = True


class TestGdf(ReaderTests):
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("mne")

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        path = write_gdf(folder / "x.gdf", noise(), NAMES, 40, marks=[(5, 769)])
        return Example("mne", path, {"signal": noise() * 0.5})


class TestFif(ReaderTests):
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("mne")

    def make(self, folder):
        import mne

        folder.mkdir(exist_ok=True)
        types = ["eeg", "mag", "grad", "stim"]
        info = mne.create_info(["EEG 001", "MEG 0111", "MEG 0112", "STI 014"], 100.0, types)
        scale = np.asarray([1e-6, 1e-15, 1e-13, 1])
        raw = mne.io.RawArray(noise().T * scale[:, None], info, first_samp=300, verbose="error")
        raw.set_annotations(mne.Annotations([0.5], [0.2], ["BAD"]))
        raw.save(folder / "x_raw.fif", verbose="error")
        return Example("mne", folder / "x_raw.fif", {"signal": noise()}, atol_uv=0.01)


class TestBids(ReaderTests):
    """A folder of one recording, whose tables say more than its file."""

    def make(self, folder):
        where = folder / "sub-01" / "ses-a" / "eeg"
        where.mkdir(parents=True, exist_ok=True)
        base = "sub-01_ses-a_task-rest"
        signals = [EdfSignal(n, noise(160, 1, k)[:, 0], 40) for k, n in enumerate("ab")]
        write_edf(where / f"{base}_eeg.edf", signals)
        (where / f"{base}_channels.tsv").write_text(
            "name\ttype\tunits\tstatus\na\tEEG\tuV\tgood\nb\tEOG\tuV\tbad\n"
        )
        (where / f"{base}_events.tsv").write_text(
            "onset\tduration\ttrial_type\n0.5\t0\tgo\n1.0\t1.5\tspindle\n"
        )
        expected = np.stack([s.samples for s in signals], axis=1) * 0.1
        return Example("bids", folder / "sub-01", {"signal": expected})


class TestNwb(ReaderTests):
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("pynwb")

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        place = np.c_[np.zeros(4), np.arange(4) * 20.0]
        path = write_nwb(folder / "x.nwb", noise(), position_um=place)
        return Example("nwb", path, {"ElectricalSeries": noise() * 0.5})


class TestZarr(ReaderTests):
    def make(self, folder):
        import zarr

        array = zarr.array(noise(), store=str(folder / "x.zarr"), chunks=(50, 2))
        array.attrs.update({"sampling_rate": 1e4, "gain_uv": 0.5})
        return Example("zarr", folder / "x.zarr", {"signal": noise() * 0.5})


class TestSavedBySpikeInterface(ReaderTests):
    kind = "binary"

    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("spikeinterface")

    def make(self, folder):
        from probeinterface import generate_linear_probe
        from spikeinterface.core import NumpyRecording

        recording = NumpyRecording([noise()[:90], noise()[90:]], 1e4)
        probe = generate_linear_probe(4)
        probe.set_device_channel_indices(np.arange(4))
        recording.set_probe(probe)
        recording.set_channel_gains(0.5)
        recording.set_channel_offsets(1.0)
        path = folder / ("x.zarr" if self.kind == "zarr" else "x")
        with warnings.catch_warnings():  # it cannot say where samples in memory are from
            warnings.simplefilter("ignore")
            recording.save(folder=path, format=self.kind, progress_bar=False, verbose=False)
        name = {"binary": "spikeinterface", "zarr": "zarr"}[self.kind]
        return Example(name, path, {"signal": noise() * 0.5 + 1.0})


class TestSavedAsZarr(TestSavedBySpikeInterface):
    kind = "zarr"
