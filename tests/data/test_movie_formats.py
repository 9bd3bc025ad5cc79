"""Movies in HDF5, NWB, Zarr, NumPy files, Suite2p's files and videos: facts and faults."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nissl.data.read import matching_reader, read
from nissl.errors import (
    BadArgumentError,
    BadMetadataError,
    CorruptSourceError,
    NisslError,
    UnknownFormatError,
)
from nissl.testing.files import (
    write_hdf5_movie,
    write_nwb,
    write_nwb_movie,
    write_stack,
    write_suite2p,
    write_targettrack,
    write_video,
)

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 3000, (12, 16, 20)).astype(np.int16)
TIMES = np.r_[np.arange(5) * 0.1, 2.0 + np.arange(7) * 0.1]


def segments(movie):
    return [(s.start, s.stop) for s in movie.clock.segments]


# HDF5


def test_hdf5_facts_beside_the_movie(tmp_path):
    path = write_hdf5_movie(tmp_path / "x.h5", FRAMES, timestamps=TIMES, spacing_um=[2.0, 1.5])
    movie = read(path).movie
    assert segments(movie) == [(0, 5), (5, 12)]
    assert movie.spacing_um == (1.5, 2.0, 1.5)


def test_hdf5_files_without_one_movie(tmp_path):
    import h5py

    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["traces"] = np.zeros((10, 5))
    with pytest.raises(UnknownFormatError, match="three dimensions"):
        read(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file["0/frame"], file["1/frame"] = FRAMES, FRAMES
    with pytest.raises(BadMetadataError, match="one movie"):
        read(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file["data"] = FRAMES
    assert read(tmp_path / "x.h5", rate_hz=1.0).movie.n_frames == 12


def test_axes_must_fit(tmp_path):
    for k, axes in enumerate(("tzyx", "tqx", "tyy", "zyx2")):
        path = write_hdf5_movie(tmp_path / f"{k}.h5", FRAMES, rate=1.0, axes=axes)
        with pytest.raises(BadMetadataError, match="axes"):
            read(path)
    five = write_hdf5_movie(tmp_path / "five.h5", FRAMES.reshape(3, 2, 2, 16, 20), rate=1.0)
    with pytest.raises(BadMetadataError):
        read(five)
    still = write_hdf5_movie(tmp_path / "still.h5", FRAMES, axes="zyx")
    assert (read(still).movie.n_frames, read(still).movie.n_planes) == (1, 12)


def test_rates_that_differ(tmp_path):
    path = write_hdf5_movie(tmp_path / "x.h5", FRAMES, rate=10.0, fs=20.0)
    with pytest.raises(BadMetadataError, match="one frame rate"):
        read(path)


def test_channels_by_option(tmp_path):
    path = write_hdf5_movie(tmp_path / "x.h5", FRAMES.reshape(6, 2, 16, 20), rate=10.0)
    assert read(path).movie.n_planes == 2
    assert list(read(path, n_channels=2).movies) == ["channel0", "channel1"]


# NWB


def test_nwb_movies(tmp_path):
    path = write_nwb_movie(
        tmp_path / "x.nwb", FRAMES, timestamps_s=TIMES, spacing_um=(1.0, 2.0), one_photon=True
    )
    recording = read(path)
    assert segments(recording.movie) == [(0, 5), (5, 12)]
    assert recording.movie.spacing_um == pytest.approx((1.0, 2.0, 1.0))
    assert recording.session.id.startswith("ses-")  # a pseudonym, for nothing says it was no human
    np.testing.assert_array_equal(recording.movie.frames(5, 9), FRAMES[5:9])


def test_nwb_frames_in_other_files(tmp_path):
    import h5py

    path = write_nwb_movie(tmp_path / "x.nwb", FRAMES)
    with h5py.File(path, "r+") as file:
        del file["acquisition/movie/data"]
    with pytest.raises(UnknownFormatError, match="other files"):
        read(path)


def test_nwb_stamps_in_disorder(tmp_path):
    path = write_nwb_movie(tmp_path / "x.nwb", FRAMES, timestamps_s=TIMES[::-1])
    with pytest.raises(BadMetadataError, match="increasing time stamps"):
        read(path)


def test_an_nwb_file_without_movies_takes_no_rate(tmp_path):
    path = write_nwb(tmp_path / "x.nwb", FRAMES[:, 0, :4])
    with pytest.raises(BadArgumentError, match="rate_hz"):
        read(path, rate_hz=10.0)


# Zarr and NumPy


def test_zarr_groups_with_a_movie(tmp_path):
    import zarr

    group = zarr.open_group(str(tmp_path / "x.zarr"), "w")
    group["traces"] = np.zeros((10, 4))
    group["movie"] = FRAMES
    group.attrs["fps"] = 10.0
    assert read(tmp_path / "x.zarr").movie.rate_hz == 10.0


def test_arrays_with_named_channels_are_no_movie(tmp_path):
    np.savez(tmp_path / "x.npz", data=FRAMES, fs=250.0, ch_names=["a"] * 16)
    with pytest.raises(BadMetadataError, match="n_samples, n_channels"):
        read(tmp_path / "x.npz")


def test_npy_in_other_orders(tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(FRAMES))
    with pytest.raises(BadMetadataError, match="C order"):
        read(tmp_path / "x.npy", rate_hz=1.0)
    np.savez(tmp_path / "y.npz", movie=FRAMES, axes="xyt", fps=3.0)
    with pytest.raises(BadMetadataError, match="Transpose"):
        read(tmp_path / "y.npz")
    np.save(tmp_path / "z.npy", FRAMES)
    with pytest.raises(BadMetadataError, match="gain"):
        read(tmp_path / "z.npy", rate_hz=1.0, gain_uv=1.0)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_four_dimensions_with_facts(tmp_path, save):
    volumes = FRAMES.reshape(4, 3, 16, 20)
    save(tmp_path / "x.npz", movie=volumes, times_s=np.r_[0, 0.1, 0.2, 0.9], spacing_um=[5, 1, 1])
    movie = read(tmp_path / "x.npz").movie
    assert segments(movie) == [(0, 3), (3, 4)]
    assert movie.spacing_um == (5.0, 1.0, 1.0)
    np.testing.assert_array_equal(movie.read(3, 4), volumes[3:])
    np.testing.assert_array_equal(movie.read(0, 2, rows=(3, 9)), volumes[:2, :, 3:9])


# Suite2p


def test_suite2p_planes_and_channels(tmp_path):
    write_suite2p(tmp_path / "suite2p", [FRAMES, FRAMES[:-1]], rate_hz=7.5)
    recording = read(tmp_path)  # the folder above
    assert recording.format == "suite2p"
    assert (recording.movie.n_frames, recording.movie.n_planes) == (11, 2)
    assert recording.movie.rate_hz == 7.5
    assert "one frame more" in recording.notes[0]
    one = read(tmp_path / "suite2p" / "plane1" / "data.bin").movie
    np.testing.assert_array_equal(one.frames(), FRAMES[:-1])


def test_suite2p_planes_of_different_size_are_movies_of_their_own(tmp_path):
    write_suite2p(tmp_path, [FRAMES, FRAMES[:, :8]])
    assert list(read(tmp_path).movies) == ["plane0", "plane1"]


def test_suite2p_files_that_are_not_sound(tmp_path):
    folder = write_suite2p(tmp_path, [FRAMES]) / "plane0"
    data = (folder / "data.bin").read_bytes()
    (folder / "data.bin").write_bytes(data[:-100])
    with pytest.raises(CorruptSourceError, match="plane0/data"):
        read(folder)
    (folder / "data.bin").write_bytes(data)
    np.save(folder / "ops.npy", np.array({"Ly": 16, "nframes": 12}))
    with pytest.raises(BadMetadataError, match="Lx"):
        read(folder)
    (folder / "ops.npy").write_bytes(b"\x93NUMPY" + b"x" * 50)
    with pytest.raises(CorruptSourceError):
        read(folder)


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('it ran')",)


def test_suite2p_settings_never_run(tmp_path):
    folder = write_suite2p(tmp_path, [FRAMES], settings={"evil": Evil()})
    assert read(folder).movie.n_frames == 12


# Videos


@pytest.mark.parametrize(("suffix", "codec"), [("avi", "mpeg4"), ("mp4", "mpeg4"), ("mkv", "ffv1")])
def test_videos_by_index(tmp_path, suffix, codec):
    pytest.importorskip("av")
    images = np.repeat(np.arange(60, dtype=np.uint8)[:, None, None] * 4, 32, axis=1).repeat(32, 2)
    path = write_video(tmp_path / f"x.{suffix}", images, codec=codec, rate_hz=25)
    movie = read(path).movie
    assert (movie.n_frames, movie.shape) == (60, (1, 32, 32))
    assert movie.rate_hz == pytest.approx(25.0, rel=1e-3)
    for index in (0, 40, 3, 59, 58, 20):  # forwards and back
        luma = index * 4 if codec == "ffv1" else 16 + index * 4 * 219 / 255  # as it is stored
        assert movie.frames(index, index + 1).mean() == pytest.approx(luma, abs=3)
    with pytest.raises(BadMetadataError, match="25 Hz"):
        read(path, rate_hz=50.0)


def test_colours_become_grey(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "x.avi"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "bgr0"
        for value in (10, 200):
            image = np.full((16, 16, 3), value, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    frames = read(tmp_path / "x.avi").movie.frames()
    np.testing.assert_allclose(frames.mean(axis=(1, 2)), [10, 200], atol=2)


# All of them


def test_what_else_is_in_a_folder_is_not_read(tmp_path):
    write_stack(tmp_path / "a.tif", FRAMES)
    (tmp_path / "notes.txt").write_text("mouse 1")
    (tmp_path / "._a.tif").write_bytes(b"what macOS leaves")
    recording = read(tmp_path, rate_hz=10.0)
    assert recording.format == "tiff"
    assert recording.movie.n_frames == 12
    np.save(tmp_path / "spike_times.npy", np.arange(5))  # a figure among sorted units
    assert matching_reader(tmp_path) is None
    shutil.rmtree(tmp_path)
    with pytest.raises(NisslError):
        recording.movie.read()


BLOCKED = """
import sys
from pathlib import Path

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"tifffile", "av", "skimage", "h5py"}:
            raise ImportError(f"No module named {name!r}", name=name.split(".")[0])

sys.meta_path.insert(0, Missing())
from nissl.data.read import read
from nissl.errors import MissingDependencyError
print(read(sys.argv[1], rate_hz=10.0).movie.read().sum())
for path in sys.argv[2:]:
    try:
        read(path, rate_hz=10.0)
    except MissingDependencyError as error:
        print(error.remedy)
"""


def test_plain_stacks_need_no_package_and_others_say_which(tmp_path):
    plain = write_stack(tmp_path / "plain.tif", FRAMES)
    packed = write_stack(tmp_path / "packed.tif", FRAMES, compression="zlib")
    (tmp_path / "x.avi").write_bytes(b"RIFF")
    command = [sys.executable, "-c", BLOCKED, plain, packed, tmp_path / "x.avi"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    lines = out.splitlines()
    assert lines[0] == str(FRAMES.sum())
    assert len(lines) == 3
    assert all("nissl[imaging]" in line for line in lines[1:])


SHARED = Path(os.environ.get("NISSL_DATA", "../shared/data")) / "imaging"


@pytest.mark.data
@pytest.mark.skipif(not SHARED.is_dir(), reason="set NISSL_DATA to the folder of real recordings")
def test_real_files_open():
    tiffs = SHARED / "nuclei_sample"
    flat = read(tiffs / "img2d.tif").movie
    assert (flat.n_frames, flat.shape) == (1, (1, 512, 512))
    volume = read(tiffs / "img3d.tif", n_planes=31).movie
    assert (volume.n_frames, volume.shape) == (1, (31, 61, 57))
    assert volume.read().std() > 0
    movie = read(SHARED / "two_photon_neurofinder/movie_left_half.npz", rate_hz=7.5).movie
    assert (movie.n_frames, movie.shape) == (450, (1, 512, 256))
    with np.load(SHARED / "two_photon_neurofinder/movie_left_half.npz") as file:
        np.testing.assert_array_equal(movie.frames(200, 204), file["q"][200:204])


def test_targettrack_volumes_of_other_shapes_or_missing_ones_are_told(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = write_targettrack(tmp_path / "x.h5", np.zeros((4, 2, 3, 6, 5), np.int16))
    with h5py.File(path, "r+") as file:
        del file["2/frame"]
    with pytest.raises(CorruptSourceError, match="none of volume 2"):
        read(path, rate_hz=3.0)
    with h5py.File(path, "r+") as file:
        file["2/frame"] = np.zeros((2, 5, 6, 4), np.int16)
    with pytest.raises(BadMetadataError, match="in volume 2"):
        read(path, rate_hz=3.0)
    with pytest.raises(BadMetadataError, match="--rate"):
        read(write_targettrack(tmp_path / "y.h5", np.zeros((4, 2, 3, 6, 5), np.int16)))


def test_a_spacing_is_given_where_the_file_states_none(tmp_path):
    path = tmp_path / "worm.npz"
    volumes = np.ones((3, 4, 8, 6), np.uint8)
    np.savez(path, movie=volumes, rate=5.0)
    assert read(path).movie.spacing_um is None
    told = read(path, spacing_um=[1.5, 0.33, 0.33])
    assert told.movie.spacing_um == (1.5, 0.33, 0.33)
    assert told.options["spacing_um"] == [1.5, 0.33, 0.33]
    assert told.fingerprint != read(path).fingerprint
    np.savez(path, movie=volumes, rate=5.0, pixel_size_um=0.33)
    assert read(path).movie.spacing_um is None  # nobody says how far planes lie apart
    np.savez(path, movie=volumes, rate=5.0, spacing_um=[1.5, 0.33, 0.33])
    assert read(path, spacing_um=(1.5, 0.33, 0.333)).movie.spacing_um == (1.5, 0.33, 0.33)
    with pytest.raises(BadMetadataError, match="as 'movie' says"):
        read(path, spacing_um=(3.0, 0.33, 0.33))
    for wrong in ([1.0], [0, 1, 1], [1, 1, float("nan")], "wide"):
        with pytest.raises(BadMetadataError, match="--spacing"):
            read(path, spacing_um=wrong)


def test_a_recording_without_movies_has_no_voxels(tmp_path):
    path = tmp_path / "lfp.npz"
    np.savez(path, data=np.ones((900, 4), np.int16), rate_hz=1000.0)
    with pytest.raises(BadArgumentError, match="--spacing"):
        read(path, spacing_um=(1, 1, 1))
