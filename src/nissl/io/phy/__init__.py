"""phy folders: written for phy to open, read from phy and Kilosort 2 to 4.

A phy folder holds one time axis in samples, one row per spike (sample, cluster, template,
amplitude), one template per cluster, contact positions, and tables of clusters. What it has
no field for (provenance, confidence, the gaps of the clock, several opinions on one cluster,
trials, arrays of the item table) travels in its subfolder `nissl`, which phy ignores. It
cannot hold negative unit ids or probabilities on single spikes.

Whose claims are whose: `cluster_KSLabel` is Kilosort's, `cluster_group` a person's, except
where it only repeats every KSLabel, as Kilosort itself writes it.
"""

from __future__ import annotations

from nissl.io.folder_format import FolderFormat
from nissl.io.phy.read import is_phy, read_phy
from nissl.io.phy.write import verify_phy, write_phy

PHY = FolderFormat(
    "phy", "_phy", write_phy, verify_phy, is_phy, read_phy, ("dat_path", "dat_dtype")
)
