"""SpikeInterface: sortings with curation, written; sortings and analyzers, read.

Written: a folder that `spikeinterface.load` opens (one segment per gapless stretch of the
clock, the item table's columns as unit properties), with `curation.json`, people's labels in
SpikeInterface's curation format 2. What neither has a field for (amplitudes, provenance,
machines' opinions, arrays, trials) travels in the subfolder `nissl`. It cannot hold
probabilities on single spikes.

Read: numpy, npz and Zarr folders of sortings, and SortingAnalyzer folders (binary or Zarr)
with templates, quality metrics, unit locations and spike amplitudes where they were computed.
The files are read directly: loading them through SpikeInterface would import whatever class
they name and open their pickles.
"""

from __future__ import annotations

from nissl.io.folder_format import FolderFormat
from nissl.io.spikeinterface.read import is_spikeinterface, read_spikeinterface
from nissl.io.spikeinterface.write import verify_sorting, write_sorting

SPIKEINTERFACE = FolderFormat(
    "spikeinterface",
    "_spikeinterface",
    write_sorting,
    verify_sorting,
    is_spikeinterface,
    read_spikeinterface,
)
