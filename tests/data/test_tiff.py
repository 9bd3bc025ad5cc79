"""TIFF stacks: what headers say, what is asked for, and files that are not sound."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.data.read import read
from nissl.data.tiff.pages import walk
from nissl.data.tiff.scanimage import matlab_value
from nissl.errors import (
    BadArgumentError,
    BadMetadataError,
    CorruptSourceError,
    MissingDependencyError,
    NisslError,
    UnknownFormatError,
)
from nissl.testing.files import write_imagej, write_ome, write_scanimage, write_stack

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 3000, (12, 16, 20)).astype(np.uint16)


# What headers say


def test_imagej(tmp_path):
    volumes = FRAMES.reshape(3, 2, 2, 16, 20)
    path = write_imagej(tmp_path / "x.tif", volumes, finterval=0.25, pixel_um=0.5, spacing=3.0)
    recording = read(path)
    assert recording.notes == ()
    movie = recording.movies["channel1"]
    assert (movie.n_frames, movie.n_planes, movie.rate_hz) == (3, 2, 4.0)
    assert movie.spacing_um == pytest.approx((3.0, 0.5, 0.5))


def test_slices_of_imagej_are_frames_unless_planes_are_asked_for(tmp_path):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, FRAMES, imagej=True, metadata={"axes": "ZYX"})
    recording = read(path, rate_hz=10.0)
    assert recording.movie.n_frames == 12
    assert "--planes" in recording.notes[0]
    recording = read(path, n_planes=12)  # a still volume has no rate
    assert (recording.movie.n_frames, recording.movie.n_planes) == (1, 12)
    assert recording.notes == ()


def test_a_stack_with_one_header_for_all_images(tmp_path):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, FRAMES, metadata={"axes": "TYX"}, truncate=True)
    assert len(walk(path).ifd) == 1
    np.testing.assert_array_equal(read(path, rate_hz=10.0).movie.frames(), FRAMES)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 700)
    with pytest.raises(CorruptSourceError, match="12 images"):
        read(path, rate_hz=10.0)


def test_ome_with_times(tmp_path):
    times = [0.0, 0.1, 0.2, 0.9, 1.0, 1.1]
    plane = {"DeltaT": times, "TheT": list(range(6)), "TheC": [0] * 6, "TheZ": [0] * 6}
    path = write_ome(tmp_path / "x.ome.tif", FRAMES[:6], "TYX", Plane=plane)
    movie = read(path).movie
    assert [(s.start, s.stop) for s in movie.clock.segments] == [(0, 3), (3, 6)]
    assert movie.clock.to_seconds(3) == pytest.approx(0.9)


def test_an_ome_set_of_several_files(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    halves = {"a.ome.tif": FRAMES[:6], "b.ome.tif": FRAMES[6:]}
    uuids = {
        name: f"urn:uuid:0000000{k}-0000-0000-0000-000000000000" for k, name in enumerate(halves)
    }
    data = "".join(
        f'<TiffData FirstT="{6 * k}" FirstC="0" FirstZ="0" IFD="0" PlaneCount="6">'
        f'<UUID FileName="{name}">{uuids[name]}</UUID></TiffData>'
        for k, name in enumerate(halves)
    )
    pixels = (
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="20" SizeY="16" SizeZ="1"'
        f' SizeC="1" SizeT="12" TimeIncrement="0.1"><Channel ID="Channel:0:0"/>{data}</Pixels>'
    )
    for name, frames in halves.items():
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME '
            'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuids[name]}"><Image ID="Image:0">{pixels}</Image></OME>'
        )
        write_stack(folder / name, frames, description=xml)
    recording = read(folder)
    assert recording.movie.rate_hz == pytest.approx(10.0)
    np.testing.assert_array_equal(recording.movie.frames(), FRAMES)
    with pytest.raises(BadMetadataError, match="folder"):
        read(folder / "a.ome.tif")


def test_ome_headers_that_expand_are_refused(tmp_path):
    xml = '<!DOCTYPE x [<!ENTITY a "aaaa">]><OME xmlns="u"><Image/></OME>'
    path = write_stack(tmp_path / "x.tif", FRAMES, description=xml)
    with pytest.raises(NisslError):
        read(path, rate_hz=1.0)


def test_scanimage(tmp_path):
    header = {
        "SI.hRoiManager.imagingFovUm": "[-200 -100;200 -100;200 100;-200 100]",
        "SI.hChannels.channelSave": "2",
    }
    path = write_scanimage(tmp_path / "x.tif", FRAMES[:, None].astype(np.int16), header=header)
    movie = read(path).movie
    assert movie.rate_hz == pytest.approx(30.0)
    assert movie.spacing_um == pytest.approx((20.0, 12.5, 20.0))
    assert movie.metadata["bidirectional"] is True
    numbers = np.r_[1:6, 9:16]
    path = write_scanimage(tmp_path / "y.tif", FRAMES[:, None].astype(np.int16), numbers=numbers)
    assert [s.start for s in read(path).movie.clock.segments] == [0, 5]


def test_a_volume_that_scanimage_did_not_finish_is_told(tmp_path):
    header = {
        "SI.hFastZ.enable": "true",
        "SI.hStackManager.numSlices": "5",
        "SI.hStackManager.framesPerSlice": "1",
        "SI.hRoiManager.scanVolumeRate": "6",
    }
    path = write_scanimage(tmp_path / "x.tif", FRAMES[:, None].astype(np.int16), header=header)
    recording = read(path)
    assert (recording.movie.n_frames, recording.movie.n_planes) == (2, 5)
    assert recording.movie.rate_hz == pytest.approx(6.0)
    assert "2 images" in recording.notes[0]


def test_colour_images_are_three_movies(tmp_path):
    colours = np.repeat(FRAMES[..., None], 3, axis=-1) + np.arange(3, dtype=np.uint16)
    for planar in ("contig", "separate"):
        images = colours if planar == "contig" else colours.transpose(0, 3, 1, 2)
        with tifffile.TiffWriter(tmp_path / f"{planar}.tif") as file:
            for image in images:
                file.write(
                    image, photometric="rgb", planarconfig=planar, metadata=None, contiguous=False
                )
        movies = read(tmp_path / f"{planar}.tif", rate_hz=1.0).movies
        assert list(movies) == ["red", "green", "blue"]
        np.testing.assert_array_equal(movies["green"].frames(), FRAMES + 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        (" -2.5e3 ", -2500.0),
        ("true", True),
        ("'a b'", "a b"),
        ("[1 2;3 4]", [[1, 2], [3, 4]]),
        ("[1;2]", [1, 2]),
        ("{'a b' 'c'}", ["a b", "c"]),
        ("[]", []),
        ("@sin", "@sin"),
    ],
)
def test_values_as_matlab_prints_them(text, value):
    assert matlab_value(text) == value


# What is asked for


def test_the_rate_is_asked_for(tmp_path):
    path = write_stack(tmp_path / "x.tif", FRAMES)
    with pytest.raises(BadMetadataError, match="--rate"):
        read(path)
    assert read(path, rate_hz=15.0).movie.rate_hz == 15.0
    one = write_stack(tmp_path / "one.tif", FRAMES[:1])
    assert read(one).movie.n_frames == 1


def test_a_stated_rate_is_not_overruled_unless_absurd(tmp_path):
    path = write_imagej(tmp_path / "x.tif", FRAMES[:, None, None], finterval=0.1)
    assert read(path, rate_hz=10.05).movie.rate_hz == 10.0  # people round
    with pytest.raises(BadMetadataError, match="10 Hz, as x"):
        read(path, rate_hz=30.0)
    path = write_imagej(tmp_path / "y.tif", FRAMES[:, None, None], finterval=1e-6)
    with pytest.raises(BadMetadataError, match="--rate"):
        read(path)
    assert read(path, rate_hz=30.0).movie.rate_hz == 30.0


def test_channels_and_planes_must_fit(tmp_path):
    path = write_stack(tmp_path / "x.tif", FRAMES)
    assert read(path, rate_hz=1.0, n_channels=2, n_planes=3).movies["channel1"].n_frames == 2
    for wrong in ({"n_planes": 5}, {"n_channels": 24}, {"n_planes": 0}):
        with pytest.raises(BadMetadataError):
            read(path, rate_hz=1.0, **wrong)
    hyper = write_imagej(tmp_path / "y.tif", FRAMES.reshape(3, 2, 2, 16, 20), finterval=1.0)
    with pytest.raises(BadMetadataError, match="2 planes"):
        read(hyper, n_planes=3)
    with pytest.raises(BadArgumentError, match="gain_uv"):
        read(path, rate_hz=1.0, gain_uv=2.0)


def test_the_fingerprint_knows_what_changes_meaning(tmp_path):
    path = write_stack(tmp_path / "x.tif", FRAMES)
    marks = {
        read(path, rate_hz=10.0).fingerprint,
        read(path, rate_hz=20.0).fingerprint,
        read(path, rate_hz=10.0, n_planes=3).fingerprint,
        read(path, rate_hz=10.0, n_channels=3).fingerprint,
    }
    assert len(marks) == 4


# Files that are not sound


def test_truncated(tmp_path):
    path = write_stack(tmp_path / "x.tif", FRAMES)
    data = path.read_bytes()
    for keep in (len(data) - 10, len(data) // 2, 60, 8, 5):
        path.write_bytes(data[:keep])
        with pytest.raises((CorruptSourceError, UnknownFormatError)):
            read(path, rate_hz=1.0)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CorruptSourceError, match=r"after \d+ whole pages"):
        read(path, rate_hz=1.0)


def test_mixed_sizes_and_types(tmp_path):
    for name, odd in (("size", FRAMES[0, :8]), ("type", FRAMES[0].astype(np.float32))):
        with tifffile.TiffWriter(tmp_path / f"{name}.tif") as file:
            for image in (FRAMES[0], FRAMES[1], odd):
                file.write(image, metadata=None, contiguous=False)
        with pytest.raises(BadMetadataError, match="page 3"):
            read(tmp_path / f"{name}.tif", rate_hz=1.0)
    folder = tmp_path / "folder"
    folder.mkdir()
    write_stack(folder / "a1.tif", FRAMES)
    write_stack(folder / "a2.tif", FRAMES[:, :8])
    with pytest.raises(BadMetadataError, match="a2"):
        read(folder, rate_hz=1.0)


def test_numbers_that_are_none(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", FRAMES.astype(np.complex64), metadata=None)
    with pytest.raises(BadMetadataError, match="sample format"):
        read(tmp_path / "x.tif", rate_hz=1.0)


def test_a_thumbnail_is_no_frame(tmp_path):
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        file.write(FRAMES[0], metadata=None, contiguous=False)
        file.write(FRAMES[0, :4, :5], subfiletype=1, metadata=None, contiguous=False)
        file.write(FRAMES[1], metadata=None, contiguous=False)
    np.testing.assert_array_equal(read(tmp_path / "x.tif", rate_hz=1.0).movie.frames(), FRAMES[:2])


def test_a_chain_that_runs_in_a_circle(tmp_path):
    path = write_stack(tmp_path / "x.tif", FRAMES)
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[0].offset, tif.pages[-1].offset
    data = bytearray(path.read_bytes())
    n = struct.unpack_from("<H", data, last)[0]
    struct.pack_into("<I", data, last + 2 + 12 * n, first)
    path.write_bytes(data)
    with pytest.raises(CorruptSourceError, match="circle"):
        read(path, rate_hz=1.0)


def test_a_file_that_changed_since_it_was_opened(tmp_path):
    path = write_stack(tmp_path / "x.tif", FRAMES)
    movie = read(path, rate_hz=1.0).movie
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CorruptSourceError):
        movie.read()
    write_stack(path, FRAMES[:, ::-1])
    np.testing.assert_array_equal(read(path, rate_hz=1.0).movie.frames(), FRAMES[:, ::-1])


def test_a_missing_codec_says_what_to_install(tmp_path):
    path = write_stack(tmp_path / "x.tif", FRAMES)
    plain, unknown = (struct.pack("<HHIHH", 259, 3, 1, number, 0) for number in (1, 64999))
    path.write_bytes(path.read_bytes().replace(plain, unknown))
    with pytest.raises(MissingDependencyError, match="imagecodecs"):
        read(path, rate_hz=1.0)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    small = FRAMES[:4, :6, :8]
    signed = small.astype(np.int16)
    return {
        "plain": write_stack(folder / "plain.tif", small),
        "big": write_stack(folder / "big.tif", small, bigtiff=True, rowsperstrip=2),
        "zip": write_stack(folder / "zip.tif", small, compression="zlib", predictor=2),
        "tile": write_stack(folder / "tile.tif", small, tile=(16, 16)),
        "imagej": write_imagej(folder / "ij.tif", small.reshape(2, 2, 1, 6, 8), finterval=0.1),
        "ome": write_ome(folder / "x.ome.tif", small, "TYX", TimeIncrement=0.1),
        "scanimage": write_scanimage(folder / "si.tif", signed[:, None]),
    }


@pytest.mark.timeout(280)
@settings(
    max_examples=400, deadline=4000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damage_leads_to_an_error_of_nissl_or_to_a_movie(samples, tmp_path, data):
    """Bytes changed, cut out, doubled or cut off, mostly in headers."""
    kind = data.draw(st.sampled_from(sorted(samples)))
    damaged = bytearray(samples[kind].read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        most = len(damaged) - 1
        if most < 40:
            break
        place = data.draw(st.integers(0, min(most, 400)) | st.integers(0, most))
        how = data.draw(st.sampled_from(["set", "word", "cut", "double", "end"]))
        if how == "set":
            damaged[place] = data.draw(st.integers(0, 255))
        elif how == "word":
            word = data.draw(st.sampled_from([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x10000, len(damaged)]))
            damaged[place : place + 4] = struct.pack("<I", word)
        elif how == "cut":
            del damaged[place : place + data.draw(st.integers(1, 40))]
        elif how == "double":
            damaged[place:place] = damaged[place : place + data.draw(st.integers(1, 40))]
        elif place > 0:
            del damaged[place:]
    path = tmp_path / "x.tif"
    path.write_bytes(damaged)
    try:
        recording = read(path, rate_hz=10.0, format="tiff")
        for movie in recording.movies.values():
            assert movie.n_pixels * movie.n_frames < 1 << 26
            for a, b in movie.blocks(16):
                assert movie.read(a, b).shape == (b - a, *movie.shape)
    except NisslError:
        pass
    finally:
        path.unlink()


def test_samples_are_sound(samples):
    for path in samples.values():
        rate = {} if path.stem in ("ij", "x.ome", "si") else {"rate_hz": 10.0}
        assert read(path, **rate).movie.n_pixels in (48, 96)
