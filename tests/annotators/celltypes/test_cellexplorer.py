"""CellExplorer's ground truth as a library."""

import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.celltypes.axes import ACG, ISI, WAVE
from nissl.annotators.celltypes.cellexplorer import COLUMNS, read_cellexplorer
from nissl.annotators.celltypes.library_files import read_library, write_library
from nissl.errors import CorruptSourceError, SourceNotFoundError

DATA = Path(os.environ.get("NISSL_DATA", "../shared/data"))
FOLDER = DATA / "ephys/celltypes/cellexplorer_groundtruth"
LABELS = ("PV", "Juxta", "PV|VGAT", "Axo_Axonic", "")


@pytest.fixture
def folder(tmp_path):
    """A session of five cells; the last is not in the table's labels."""
    rng = np.random.default_rng(0)
    rows, arrays = [], {}
    time_ms = np.arange(-32, 32) / 20.0
    for k, label in enumerate(LABELS):
        given = {"session": "s1", "unit": f"{k}.0", "label": label, "animal": "a1"}
        given |= {"animal_species": "Mouse", "session_investigator": "somebody"}
        given |= {"brainRegion": "CA1", "firingRate": "5.5", "cv2": ""}
        rows.append({name: given.get(name, "") for name in COLUMNS})
        wave = -80 * np.exp(-((time_ms / 0.15) ** 2)) + 20 * np.exp(-(((time_ms - 0.5) / 0.3) ** 2))
        arrays |= {
            f"u{k}_wave_filt": wave + rng.normal(0, 0.5, wave.size),
            f"u{k}_wave_time_ms": time_ms,
            f"u{k}_acg_narrow": rng.poisson(6, 201).astype(float),
            f"u{k}_acg_wide": rng.poisson(6, 1001).astype(float),
            f"u{k}_acg_log10_rate": rng.poisson(6, 100).astype(float),
            f"u{k}_isi_log10_occurrence": rng.poisson(6, 100).astype(float),
        }
    (tmp_path / "sessions").mkdir()
    np.savez(tmp_path / "sessions" / "s1.npz", **arrays)
    with open(tmp_path / "cells_all_columns.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


def test_cells_become_units_with_labels_where_they_name_one_type(folder):
    made = read_cellexplorer(folder)
    assert made.label == ("PV", "", "", "axo-axonic")
    assert made.evidence == ("optotagging", "", "", "optotagging")
    assert made.features.subject == ("a1",) * 4
    assert made.facts["species"] == ("mouse",) * 4
    assert made.facts["unit"][1] == "1.0"
    assert made.card["licence"] == "BSD-3-Clause"
    names = made.features.names
    rate = made.features.values[:, names.index("firing_rate_hz")]
    assert np.all(rate == 5.5)
    assert np.isnan(made.features.values[:, names.index("cv2")]).all()
    wave = made.features.values[:, [names.index(n) for n in WAVE]]
    assert np.nanmin(wave, axis=1) == pytest.approx(-1, abs=0.02)
    assert np.isfinite(made.features.values[:, [names.index(n) for n in (*ACG, *ISI)]]).any()


def test_what_is_missing_is_told(folder, tmp_path):
    with pytest.raises(SourceNotFoundError, match="cells_all_columns"):
        read_cellexplorer(tmp_path / "nowhere")
    session = folder / "sessions" / "s1.npz"
    arrays = {k: v for k, v in np.load(session).items() if not k.startswith("u3_wave_time")}
    np.savez(session, **arrays)
    with pytest.raises(CorruptSourceError, match=r"u3 in s1\.npz"):
        read_cellexplorer(folder)
    session.unlink()
    with pytest.raises(SourceNotFoundError, match=r"s1\.npz"):
        read_cellexplorer(folder)
    (folder / "cells_all_columns.csv").write_text("session,label\ns1,PV\n")
    with pytest.raises(CorruptSourceError, match="unit"):
        read_cellexplorer(folder)


@pytest.mark.data
def test_the_published_cells(tmp_path):
    if not FOLDER.is_dir():
        pytest.skip("needs NISSL_DATA")
    made = read_cellexplorer(FOLDER)
    counts = Counter(made.label)
    assert counts == {"axo-axonic": 27, "": 28, "VIP": 6, "pyramidal": 6, "PV": 5}
    assert len(set(made.features.subject)) == 10
    read = read_library(write_library(tmp_path / "cells.zip", made))
    assert read.digest == made.digest
    assert read.identities == made.identities
