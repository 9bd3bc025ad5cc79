"""Suite2p's results folder: read without unpickling, and written so that its GUI opens it.

A folder of one plane holds stat.npy (pixels and statistics of regions), iscell.npy, F.npy,
Fneu.npy, spks.npy and ops.npy (or settings.npy and db.npy, as newer versions write). Its parent
is read whole: planes become z. Suite2p's flags of cells are its classifier's until a person flips
one; from then on they count as what the person left.

Suite2p's stat.npy and ops.npy are pickles. They are read as data, never unpickled (see
`nissl.data.plain_pickle`); they are written by NumPy from plain values of ours, as Suite2p itself
does.
"""

from __future__ import annotations

from nissl.io.folder_format import FolderFormat
from nissl.io.suite2p.read import is_suite2p, read_suite2p
from nissl.io.suite2p.write import verify_suite2p, write_suite2p

SUITE2P = FolderFormat(
    name="suite2p",
    suffix="_suite2p",
    writer=write_suite2p,
    verifier=verify_suite2p,
    recogniser=is_suite2p,
    reader=read_suite2p,
)

__all__ = ["SUITE2P"]
