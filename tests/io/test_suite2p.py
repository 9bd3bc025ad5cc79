"""Suite2p's folders: written, read, and read after people worked in them."""

import json
import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import nissl
from nissl.data.plain_pickle import read_plain
from nissl.errors import BadMetadataError, CorruptSourceError, ExportError, NisslError
from nissl.io.pickled import save
from nissl.io.regions import traces_of
from nissl.io.suite2p import SUITE2P
from nissl.testing.exporters import damage, read_or_refuse
from nissl.testing.regions import (
    RegionExporterContract,
    example_footprints,
    example_region_dossier,
    example_traces,
)


class TestContract(RegionExporterContract):
    name = "suite2p"
    images = ("mean", "max", "correlation")


def plane(folder, seed=0, n=8, *, n_frames=30, new=False):
    """Folder as Suite2p leaves one, older or newer."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    drawn = example_footprints(rng, n)
    stat = []
    for pixels, weights in zip(drawn.pixels, drawn.weights, strict=True):
        y, x = np.divmod(pixels, 64)
        stat.append(
            {
                "ypix": y.astype(np.int32),
                "xpix": x.astype(np.int32),
                "lam": weights,
                "med": (np.median(y), np.median(x)),
                "npix": y.size,
                "skew": np.float32(rng.normal(2, 1)),
                "compact": float(rng.uniform(1, 1.3)),
                "overlap": np.zeros(y.size, bool),
            }
        )
    save(folder / "stat.npy", stat)
    ops = {"Ly": 48, "Lx": 64, "fs": 10.0, "nframes": n_frames, "suite2p_version": "0.14"}
    if new:
        save(folder / "db.npy", {k: ops[k] for k in ("Ly", "Lx", "nframes")})
        save(folder / "settings.npy", {"fs": 10.0, "torch_device": "cpu"})
    else:
        save(folder / "ops.npy", ops)
    chance = np.where(np.arange(n) % 2, 0.2, 0.9)
    np.save(folder / "iscell.npy", np.stack([chance > 0.5, chance], axis=1))
    for name in ("F", "Fneu", "spks"):
        np.save(folder / f"{name}.npy", rng.normal(100, 5, (n, n_frames)).astype(np.float32))
    return folder


@pytest.mark.parametrize("new", [False, True])
def test_a_folder_of_suite2p(tmp_path, new):
    folder = plane(tmp_path / "suite2p" / "plane0", new=new)
    for path in (folder, folder.parent, folder / "stat.npy"):
        assert SUITE2P.matches(path)
        found = SUITE2P.read(path)
    (labels,) = found.labels
    assert labels.provenance.author.name == "suite2p"
    assert labels.provenance.author.version == ("" if new else "0.14")
    assert labels.column("label").tolist() == [0, 1] * 4
    assert np.isnan(labels.column("confidence")).all()
    stat = np.load(folder / "stat.npy", allow_pickle=True)
    assert labels.table.column("pixels")[3].as_py() == sorted(
        stat[3]["ypix"] * 64 + stat[3]["xpix"]
    )
    items = found.items[0]
    assert items.table.column("skew").to_pylist() == [float(s["skew"]) for s in stat]
    assert items.table.column("classifier_probability").to_pylist()[:2] == [0.9, 0.2]
    assert items.context == {"grid": [1, 48, 64], "rate_hz": 10.0}
    traces = np.load(folder / "F.npy")
    assert np.array_equal(traces_of(found.signals["raw"], labels.items), traces)
    assert found.facts["clock"] == [[0, 30, 0.0, 10.0]]


def test_flips_are_a_persons(tmp_path):
    folder = plane(tmp_path / "plane0")
    flags = np.load(folder / "iscell.npy")
    flags[1, 0] = 1
    np.save(folder / "iscell.npy", flags)
    machine, person = SUITE2P.read(folder, reviewer="A").labels
    assert person.provenance.author.kind == "person"
    assert person.provenance.author.name == "A"
    assert person.provenance.made_from == (machine.digest,)
    assert np.flatnonzero(person.column("label") != machine.column("label")).tolist() == [1]


def test_planes_are_read_as_one(tmp_path):
    for z in range(3):
        plane(tmp_path / "suite2p" / f"plane{z}", z, 4 + z)
    found = SUITE2P.read(tmp_path / "suite2p")
    assert found.labels[0].n_rows == 15
    assert found.items[0].context["grid"] == [3, 48, 64]
    traces = traces_of(found.signals["neuropil"], found.labels[0].items)
    assert np.array_equal(traces[4:9], np.load(tmp_path / "suite2p/plane1/Fneu.npy"))
    save(tmp_path / "suite2p/plane1/ops.npy", {"Ly": 50, "Lx": 64, "fs": 10.0})
    with pytest.raises(CorruptSourceError, match="one size"):
        SUITE2P.read(tmp_path / "suite2p")


def test_what_does_not_fit_is_told(tmp_path):
    folder = plane(tmp_path / "plane0")
    np.save(folder / "F.npy", np.zeros((3, 30), np.float32))
    with pytest.raises(CorruptSourceError, match=r"F\.npy"):
        SUITE2P.read(folder)
    (folder / "F.npy").unlink()
    assert "F.npy" in " ".join(SUITE2P.read(folder).what_is_missing)
    save(folder / "ops.npy", {"Ly": 10, "Lx": 64, "fs": 10.0})
    with pytest.raises(CorruptSourceError, match="inside"):
        SUITE2P.read(folder)
    save(folder / "ops.npy", {"Ly": 48, "Lx": 64})
    with pytest.raises(BadMetadataError):
        SUITE2P.read(folder)
    assert SUITE2P.read(folder, rate_hz=5.0).facts["rate_hz"] == 5.0


def test_damage_never_escapes(tmp_path):
    rng = np.random.default_rng(0)
    for trial in range(60):
        folder = plane(tmp_path / f"t{trial}" / "plane0", n=4)
        damage(folder, rng)
        read_or_refuse(SUITE2P, folder)


def test_after_a_flip_in_the_gui_our_set_is_still_ours(tmp_path):
    dossier = example_region_dossier()
    folder = SUITE2P.write(dossier, tmp_path / "out")
    flags = np.load(folder / "iscell.npy")
    flags[0, 0] = 1 - flags[0, 0]
    np.save(folder / "iscell.npy", flags)
    ours, person = SUITE2P.read(folder).labels
    assert ours == dossier.labels
    assert person.provenance.author.name == "suite2p user"
    assert np.sum(person.column("label") != ours.column("label")) == 1
    with pytest.raises(NisslError, match="flags"):
        SUITE2P.verify(dossier, folder)


def test_regions_across_planes_are_refused(tmp_path):
    dossier = example_region_dossier(shape=(2, 20, 30))
    made = replace(dossier.labels.provenance, parameters={"shape": [10, 4, 30]})
    with pytest.raises(ExportError, match="plane"):
        SUITE2P.write(
            replace(dossier, labels=replace(dossier.labels, provenance=made)), tmp_path / "x"
        )


def test_dff_stands_in_for_raw_traces(tmp_path):
    dossier = example_region_dossier()
    raw = dossier.signals["raw"]
    only = replace(dossier, signals={"fluorescence": replace(raw, name="fluorescence")})
    folder = SUITE2P.write(only, tmp_path / "out")
    SUITE2P.verify(only, folder)
    assert set(SUITE2P.read(folder).signals) == {"fluorescence"}
    assert not np.load(folder / "Fneu.npy").any()
    assert "Fneu" in read_plain(folder / "ops.npy")["nissl_absent"]


def test_pictures_that_are_not_known_are_stood_in_for_and_do_not_come_back(tmp_path):
    dossier = replace(example_region_dossier(), images={"mean": np.ones((1, 48, 64), np.float32)})
    folder = SUITE2P.write(dossier, tmp_path / "out")
    SUITE2P.verify(dossier, folder)
    assert set(SUITE2P.read(folder).images) == {"mean"}
    ops = read_plain(folder / "ops.npy")
    assert ops["max_proj"].shape == (48, 64)
    assert np.array_equal(ops["meanImg"], dossier.images["mean"][0])


def test_pictures_that_suite2p_cut_are_put_where_they_belong(tmp_path):
    folder = plane(tmp_path / "plane0")
    ops = read_plain(folder / "ops.npy") | {
        "meanImg": np.ones((48, 64), np.float32),
        "max_proj": np.full((40, 60), 2.0, np.float32),
        "Vcorr": np.zeros((3, 3), np.float32),
        "yrange": [4, 44],
        "xrange": [2, 62],
    }
    save(folder / "ops.npy", ops)
    found = SUITE2P.read(folder).images
    assert set(found) == {"mean", "max"}
    assert np.isnan(found["max"][0, :4]).all()
    assert (found["max"][0, 4:44, 2:62] == 2).all()


def test_pictures_travel_through_a_project(tmp_path):
    folder = plane(tmp_path / "plane0")
    picture = np.random.default_rng(0).gamma(2, 9, (48, 64)).astype(np.float32)
    save(folder / "ops.npy", read_plain(folder / "ops.npy") | {"meanImg": picture})
    project = nissl.open(tmp_path / "study")
    source = project.add(folder)
    out = project.export(source, "suite2p", tmp_path / "out", task="cells", draft=True)
    assert np.array_equal(read_plain(out / "ops.npy")["meanImg"], picture)


def test_a_project_takes_labels_traces_and_flips_and_gives_them_back(tmp_path):
    folder = plane(tmp_path / "plane0")
    flags = np.load(folder / "iscell.npy")
    flags[1, 0] = 1
    np.save(folder / "iscell.npy", flags)
    project = nissl.open(tmp_path / "study")
    source = project.add(folder)
    names = [s.name for s in project.sources()]
    assert {f"{source.name}.{n}" for n in ("raw", "neuropil", "deconvolved")} < set(names)
    out = project.export(source, "suite2p", tmp_path / "out", task="cells", draft=True)
    assert np.array_equal(np.load(out / "F.npy"), np.load(folder / "F.npy"))


PEER = os.environ.get("NISSL_SUITE2P_PYTHON", "")
_LOOK = """
import json, sys, types
from unittest.mock import MagicMock
import numpy as np
folder = sys.argv[1]
stat = np.load(folder + "/stat.npy", allow_pickle=True)
ops = np.load(folder + "/ops.npy", allow_pickle=True).item()
flags = np.load(folder + "/iscell.npy")
print(json.dumps({"n": len(stat), "Ly": ops["Ly"], "cells": int(flags[:, 0].sum())}))
"""


@pytest.mark.skipif(not PEER, reason="NISSL_SUITE2P_PYTHON names no interpreter")
def test_suite2ps_numpy_opens_it(tmp_path):
    dossier = example_region_dossier()
    folder = SUITE2P.write(dossier, tmp_path / "out")
    ran = subprocess.run(
        [PEER, "-c", _LOOK, str(folder)], capture_output=True, text=True, check=True
    )
    told = json.loads(ran.stdout)
    assert told == {"n": 12, "Ly": 48, "cells": int((dossier.labels.column("label") == 0).sum())}
    assert example_traces(dossier.labels, np.random.default_rng(0))
