"""What can be chosen when a hybrid is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.annotators.spikes.motion_paths import DRIFT_UM, DRIFTS, JUMP_UM
from nissl.errors import BadArgumentError


@dataclass(frozen=True)
class HybridOptions:
    """How a hybrid is made.

    Parameters
    ----------
    rate_hz : float
        Samples per second; waveforms, trains and background are brought to it.
    noise_uv : float, optional
        Level of the background in 300-6000 Hz (robust standard deviation, uV) that it is
        scaled to; None keeps a background that already is in uV as it is.
    snr : tuple of float, optional
        Range from which each unit's signal-to-noise ratio (extreme value over the level of the
        background) is drawn, the waveform scaled accordingly; None keeps real amplitudes.
    spatial : {"fitted", "measured"}
        Amplitudes across contacts; see `nissl.annotators.spikes.footprints.footprint`.
    surrogate : bool, optional
        Synthetic instead of real background; None: real where it has as many channels as the
        probe.
    amplitude_sd : float
        Relative standard deviation of spike amplitudes (Gaussian, cut at 0.5 and 1.5).
    refractory_s : float
        Spikes of a train closer than this to the one before are left out.
    burst_loss : float
        Part of its amplitude that a spike takes away from those that follow within some 10 ms;
        see `nissl.annotators.spikes.bursting`. At 0.2, spikes 4 ms apart fall to 60 %.
    overlaps : float
        In each pair of neighbours, the share of the spikes of the unit with fewer that is moved
        to within 1 ms of spikes of the other; see `nissl.annotators.spikes.overlapping`.
    drift : {None, "rigid", "nonrigid", "bumps", "jumps"}
        How the units move along the probe, as in `nissl.annotators.spikes.simulate`; the
        background stays still. Units are placed so that all stay beside the probe.
        Signal-to-noise ratios are those at rest, before the movement.
    drift_um : float, optional
        Peak to peak, 30 um by default; of "jumps" the largest movement, 100 um by default, the
        smallest being half of it.
    """

    rate_hz: float = 30_000.0
    noise_uv: float | None = 6.0
    snr: tuple[float, float] | None = None
    spatial: str = "fitted"
    surrogate: bool | None = None
    amplitude_sd: float = 0.0
    refractory_s: float = 1e-3
    burst_loss: float = 0.0
    overlaps: float = 0.0
    drift: str | None = None
    drift_um: float | None = None

    def __post_init__(self) -> None:
        low, high = self.snr or (1.0, 1.0)
        level = 1.0 if self.noise_uv is None else self.noise_uv
        if not (self.rate_hz > 0 and level > 0 and 0 < low <= high):
            raise BadArgumentError(
                "a rate, a noise level and signal-to-noise ratios above 0, low to high",
                f"{self.rate_hz} Hz, {self.noise_uv} uV, {self.snr}",
                "Correct the options.",
            )
        if not (0 <= self.amplitude_sd <= 0.3 and 0 <= self.refractory_s <= 0.01):
            raise BadArgumentError(
                "amplitude_sd of 0 to 0.3 and refractory_s of 0 to 0.01 s",
                f"{self.amplitude_sd} and {self.refractory_s}",
                "Correct the options.",
            )
        if not 0 <= self.burst_loss <= 0.6:
            raise BadArgumentError(
                "burst_loss of 0 to 0.6", f"{self.burst_loss}", "Correct the options."
            )
        if not 0 <= self.overlaps <= 0.5:
            raise BadArgumentError(
                "overlaps of 0 to 0.5", f"{self.overlaps}", "Correct the options."
            )
        if self.drift is not None and self.drift not in DRIFTS:
            raise BadArgumentError(
                f"a drift among {DRIFTS}, or None", repr(self.drift), "Choose one of them."
            )
        if self.drift_um is not None and not (self.drift and 0 <= self.drift_um < np.inf):
            raise BadArgumentError(
                "a drift and a drift_um of at least 0 um",
                f"drift {self.drift!r}, {self.drift_um} um",
                "Choose a drift, or leave drift_um out.",
            )

    @property
    def range_um(self) -> float:
        """Size of the movement: see `drift_um`; 0 without a drift."""
        if self.drift is None:
            return 0.0
        usual = JUMP_UM[1] if self.drift == "jumps" else DRIFT_UM
        return usual if self.drift_um is None else self.drift_um
