"""ALF folders, the International Brain Laboratory's one array per file.

Written: `spikes.times` (seconds of the stream's clock), `spikes.samples`, `spikes.clusters`
(row of the clusters' files), `spikes.amps` (volts, without sign), `clusters.*` with mean
waveforms in volts, depths, best channels and metrics, `channels.*`, and the session's spans as
`<name>.intervals`, instants as `<name>.times`. Unit ids, signs of amplitudes, provenance,
opinions and exact samples of spans travel in the subfolder `nissl`. It cannot hold
probabilities on single spikes.

Read: any folder with spikes.times or spikes.samples and spikes.clusters, with name spaces
and time scales in the file names.
"""

from __future__ import annotations

from nissl.io.alf.read import is_alf, read_alf
from nissl.io.alf.write import verify_alf, write_alf
from nissl.io.folder_format import FolderFormat

ALF = FolderFormat("alf", "_alf", write_alf, verify_alf, is_alf, read_alf)
