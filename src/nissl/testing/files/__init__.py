"""Writers of small valid recordings in the formats nissl reads, for tests and demos.

Each writes what it is given, sample by sample, so that a reader can be compared with it
exactly.
"""

from nissl.testing.files.openephys import write_openephys
from nissl.testing.files.spikeglx import write_nidq, write_spikeglx

__all__ = ["write_nidq", "write_openephys", "write_spikeglx"]
