"""Writers of small valid recordings in the formats nissl reads, for tests and demos.

Each writes what it is given, sample by sample, so that a reader can be compared with it
exactly.
"""

from nissl.testing.files.blackrock import write_blackrock_nev, write_blackrock_nsx
from nissl.testing.files.edf import EdfFields, EdfSignal, write_edf
from nissl.testing.files.eeg import write_brainvision, write_eeglab, write_gdf
from nissl.testing.files.intan import write_intan_rhd
from nissl.testing.files.movies import (
    write_hdf5_movie,
    write_nwb_movie,
    write_suite2p,
    write_targettrack,
    write_video,
)
from nissl.testing.files.nwb import write_nwb
from nissl.testing.files.openephys import write_openephys
from nissl.testing.files.spikeglx import write_nidq, write_spikeglx
from nissl.testing.files.tiff import write_imagej, write_ome, write_scanimage, write_stack

__all__ = [
    "EdfFields",
    "EdfSignal",
    "write_blackrock_nev",
    "write_blackrock_nsx",
    "write_brainvision",
    "write_edf",
    "write_eeglab",
    "write_gdf",
    "write_hdf5_movie",
    "write_imagej",
    "write_intan_rhd",
    "write_nidq",
    "write_nwb",
    "write_nwb_movie",
    "write_ome",
    "write_openephys",
    "write_scanimage",
    "write_spikeglx",
    "write_stack",
    "write_suite2p",
    "write_targettrack",
    "write_video",
]
