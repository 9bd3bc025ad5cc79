"""Every reader of movies through the contract suite."""

from typing import ClassVar

import numpy as np
import pytest

from nissl.testing.files import (
    write_hdf5_movie,
    write_imagej,
    write_nwb_movie,
    write_ome,
    write_scanimage,
    write_stack,
    write_suite2p,
    write_targettrack,
    write_video,
)
from nissl.testing.readers import Example, MovieReaderTests


def frames(shape=(7, 12, 10), dtype=np.int16, seed=0):
    low, high = (0, 256) if np.dtype(dtype) == np.uint8 else (0, 3000)
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def example(format, path, movies, **options):
    return Example(format, path, {}, options, frames=movies)


class TestPlainTiff(MovieReaderTests):
    written: ClassVar = {}

    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("tifffile")

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        path = write_stack(folder / "x.tif", frames(), **self.written)
        return example("tiff", path, {"movie": frames()[:, None]}, rate_hz=10.0)


class TestBigEndianBigTiff(TestPlainTiff):
    written: ClassVar = {"big_endian": True, "bigtiff": True}


class TestStrips(TestPlainTiff):
    written: ClassVar = {"rowsperstrip": 4}


class TestCompressed(TestPlainTiff):
    written: ClassVar = {"compression": "zlib", "predictor": 2, "rowsperstrip": 5}


class TestTiled(TestPlainTiff):
    written: ClassVar = {"tile": (16, 16)}


class TestInterleaved(MovieReaderTests):
    """Channels and planes that take turns, in compressed pages."""

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        volumes = frames((4, 3, 2, 12, 10))  # t, z, c
        path = write_stack(folder / "x.tif", volumes, compression="zlib")
        movies = {f"channel{c}": volumes[:, :, c] for c in range(2)}
        return example("tiff", path, movies, rate_hz=10.0, n_channels=2, n_planes=3)


class TestImageJ(MovieReaderTests):
    def make(self, folder):
        folder.mkdir(exist_ok=True)
        volumes = frames((4, 3, 2, 12, 10), np.uint16)
        path = write_imagej(folder / "x.tif", volumes, finterval=0.1, pixel_um=0.5, spacing=2.0)
        movies = {f"channel{c}": volumes[:, :, c] for c in range(2)}
        return example("tiff", path, movies)


class TestOme(MovieReaderTests):
    """Axes in another order than that of the pages' turn."""

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        volumes = frames((2, 4, 3, 12, 10), np.uint16)
        path = write_ome(
            folder / "x.ome.tif",
            volumes,
            "CTZYX",
            TimeIncrement=100.0,
            TimeIncrementUnit="ms",
            Channel={"Name": ["GCaMP6f", "tdTomato"]},
        )
        return example("tiff", path, {"GCaMP6f": volumes[0], "tdTomato": volumes[1]})


class TestScanImage(MovieReaderTests):
    """Two channels, three planes, and the scanner flies back for a frame that is not kept."""

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        volumes = frames((4, 3, 2, 12, 10))
        header = {
            "SI.hFastZ.enable": "true",
            "SI.hStackManager.numSlices": "3",
            "SI.hStackManager.framesPerSlice": "1",
            "SI.hFastZ.numFramesPerVolume": "4",
            "SI.hRoiManager.scanVolumeRate": "7.5",
        }
        numbers = (np.arange(4)[:, None] * 4 + np.arange(3) + 1).ravel()
        pages = volumes.reshape(12, 2, 12, 10)
        path = write_scanimage(folder / "x.tif", pages, numbers=numbers, header=header)
        return example("tiff", path, {"Green": volumes[:, :, 0], "Red": volumes[:, :, 1]})


class TestFolderOfTiffs(MovieReaderTests):
    def make(self, folder):
        (folder / "run").mkdir(parents=True, exist_ok=True)
        parts = {"a_2.tif": (0, 3), "a_10.tif": (3, 4), "a_11.tif": (4, 7)}
        for name, (a, b) in parts.items():
            write_stack(folder / "run" / name, frames()[a:b])
        return example("tiff", folder / "run", {"movie": frames()[:, None]}, rate_hz=10.0)


class TestHdf5(MovieReaderTests):
    def make(self, folder):
        folder.mkdir(exist_ok=True)
        path = write_hdf5_movie(folder / "x.h5", frames((5, 3, 12, 10)), rate=10.0)
        return example("hdf5", path, {"movie": frames((5, 3, 12, 10))})


class TestHdf5WithAxes(MovieReaderTests):
    def make(self, folder):
        folder.mkdir(exist_ok=True)
        stored = frames((10, 12, 2, 5))
        path = write_hdf5_movie(folder / "x.h5", stored, name="a/mov", rate=10.0, axes="xyct")
        whole = stored.transpose(3, 2, 1, 0)
        movies = {"channel0": whole[:, :1], "channel1": whole[:, 1:]}
        return example("hdf5", path, movies)


class TestNwbMovie(MovieReaderTests):
    def make(self, folder):
        pytest.importorskip("pynwb")
        folder.mkdir(exist_ok=True)
        path = write_nwb_movie(folder / "x.nwb", frames((5, 3, 12, 10)), spacing_um=(1.0, 1.0, 5.0))
        return example("nwb", path, {"movie": frames((5, 3, 12, 10))})


class TestZarrMovie(MovieReaderTests):
    def make(self, folder):
        import zarr

        array = zarr.array(frames(), store=str(folder / "x.zarr"), chunks=(2, 12, 10))
        array.attrs.update({"frame_rate": 10.0})
        return example("zarr", folder / "x.zarr", {"movie": frames()[:, None]})


class TestOmeZarr(MovieReaderTests):
    def make(self, folder):
        import zarr

        stored = frames((5, 2, 3, 12, 10))
        group = zarr.open_group(str(folder / "x.zarr"), "w")
        group.create_dataset("0", data=stored, chunks=(1, 1, 3, 12, 10))
        group.create_dataset("1", data=stored[..., ::2, ::2], chunks=(1, 1, 3, 6, 5))
        units = {"t": "second", "c": None, "z": "micrometer", "y": "micrometer", "x": "micrometer"}
        axes = [{"name": n} | ({"unit": u} if u else {}) for n, u in units.items()]
        scale = [{"type": "scale", "scale": [0.1, 1.0, 2.0, 0.5, 0.5]}]
        finest = {"path": "0", "coordinateTransformations": scale}
        image = {"version": "0.4", "axes": axes, "datasets": [finest, {"path": "1"}]}
        group.attrs["multiscales"] = [image]
        movies = {f"channel{c}": stored[:, c] for c in range(2)}
        return example("zarr", folder / "x.zarr", movies)


class TestNpyMovie(MovieReaderTests):
    def make(self, folder):
        folder.mkdir(exist_ok=True)
        np.save(folder / "x.npy", frames((5, 3, 12, 10)))
        return example("numpy", folder / "x.npy", {"movie": frames((5, 3, 12, 10))}, rate_hz=10.0)


class TestNpzMovie(MovieReaderTests):
    save = staticmethod(np.savez)

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        self.save(folder / "x.npz", movie=frames(), mask=np.ones((12, 10)), fs=10.0)
        return example("numpy", folder / "x.npz", {"movie": frames()[:, None]})


class TestCompressedNpzMovie(TestNpzMovie):
    save = staticmethod(np.savez_compressed)


class TestSuite2pBinary(MovieReaderTests):
    def make(self, folder):
        planes = [frames(seed=0), frames(seed=1)]
        second = [frames(seed=2), frames(seed=3)]
        write_suite2p(folder / "suite2p", planes, second=second)
        movies = {"movie": np.stack(planes, axis=1), "chan2": np.stack(second, axis=1)}
        return example("suite2p", folder / "suite2p", movies)


class TestVideo(MovieReaderTests):
    suffix = ".avi"

    def make(self, folder):
        pytest.importorskip("av")
        folder.mkdir(exist_ok=True)
        images = frames((9, 16, 20), np.uint8)
        path = write_video(folder / f"x{self.suffix}", images, times=[0, 1, 2, 3, 7, 8, 9, 10, 11])
        return example("video", path, {"movie": images[:, None]})


class TestMkv(TestVideo):
    suffix = ".mkv"


class TestTargettrack(MovieReaderTests):
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("h5py")

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        volumes = frames((5, 2, 3, 12, 10))  # t, c, z, y, x
        path = write_targettrack(folder / "x.h5", volumes)
        movies = {name: volumes[:, c] for c, name in enumerate(("red", "green"))}
        return example("targettrack", path, movies, rate_hz=4.0)
