"""Spans and instants in NWB files."""

from __future__ import annotations

from pathlib import Path

import pytest

from nissl.io.nwb import NWB
from nissl.tasks import Dossier
from nissl.testing.marks import FreeSpansContract, night_dossier

pynwb = pytest.importorskip("pynwb")


class TestContract(FreeSpansContract):
    name = "nwb"
    holds_sets = holds_author = True
    large = 20_000

    def read(self, path: Path) -> object:
        return NWB.read(path)


def test_stages_are_intervals_of_their_task(tmp_path: Path) -> None:
    dossier: Dossier = night_dossier(1, n_rows=30)
    path = NWB.write(dossier, tmp_path / "night.nwb")
    NWB.verify(dossier, path)
    with pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
        assert pynwb.validate(io=io) == []
        table = io.read().intervals["sleep"]
        names = dossier.labels.vocabulary.names
        assert list(table["label"][:]) == [names[k] for k in dossier.labels.column("label")]
        assert table["start_time"][1] == 30.0
