"""The common axes on which waveforms, correlograms and intervals of units are compared.

Recordings differ in rate, in the stretch of waveform that was kept and in firing rate. Everything
is brought to these axes by explicit resampling; where a source does not reach, values are NaN.

- **Waveform**: on the main channel, 30 kHz, from 0.8 ms before to 1.2 ms after its largest
  deflection, over that deflection's size. Its sign is kept: polarity is biology.
- **Autocorrelogram**: rate at a lag over the mean rate at lags of 1 to 10 s, so that 1 means "as
  if there had been no spike"; lags are logarithmic (CellExplorer's axis; Petersen et al. 2021,
  Neuron 109:3594-3608).
- **Intervals**: share of interspike intervals per logarithmic bin, of those within the axis.
- **3-D autocorrelogram**: rate at a lag over the mean rate, for each decile of the instantaneous
  firing rate around the spike (Beau et al. 2025, Cell 188:2218-2234).
"""

from __future__ import annotations

import numpy as np

RATE_HZ = 30_000.0
BEFORE, AFTER = 24, 36
"""Samples before and after the largest deflection."""

N_WAVE = BEFORE + 1 + AFTER
WAVE_MS = np.arange(-BEFORE, AFTER + 1) / RATE_HZ * 1000
"""Shape (61,), milliseconds."""

N_LOG = 100
LOG_S = 10.0 ** (-2.98 + 0.04 * np.arange(N_LOG))
"""Shape (100,), seconds: centres of the bins of autocorrelograms and intervals."""

LOG_EDGES_S = 10.0 ** (-3.0 + 0.04 * np.arange(N_LOG + 1))
"""Shape (101,), seconds."""

N_DECILES, N_LAGS = 10, 50
LAG_EDGES_S = 10.0 ** (-3.0 + 0.06 * np.arange(N_LAGS + 1))
"""Shape (51,), seconds: lags of the 3-D autocorrelogram, 1 ms to 1 s."""

WAVE = tuple(f"wave_{k:03d}" for k in range(N_WAVE))
ACG = tuple(f"acg_{k:03d}" for k in range(N_LOG))
ISI = tuple(f"isi_{k:03d}" for k in range(N_LOG))
ACG3 = tuple(f"acg3_{k:03d}" for k in range(N_DECILES * N_LAGS))
"""Names of the columns of a feature table, the last decile by decile."""

MODALITIES = {"waveform": WAVE, "acg": ACG, "isi": ISI, "acg3": ACG3}

MODALITY_SAYS = {
    "waveform": "shape of the waveform",
    "acg": "shape of the autocorrelogram",
    "isi": "intervals between spikes",
    "acg3": "how the autocorrelogram changes with the firing rate",
}
"""Words for readers."""
