"""Probes of probeinterface as channel tables.

Import this module only where probeinterface is needed anyway.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.channels import ChannelTable
from nissl.errors import BadProbeError


def table_of_probe(
    probe: Any,
    names: Sequence[str],
    gain_uv: npt.ArrayLike,
    kind: str,
    phase: npt.NDArray[np.float64] | None = None,
) -> ChannelTable:
    """Channel table whose channels are the contacts of a probe, in their order.

    Parameters
    ----------
    probe : probeinterface.Probe
    names : sequence of str
        Names of the channels.
    gain_uv : array-like, shape (n_channels,) or a number
    kind : str
    phase : ndarray, shape (n_channels,), samples, optional

    Raises
    ------
    BadProbeError
        Numbers of contacts and channels differ.
    """
    if probe.get_contact_count() != len(names):
        raise BadProbeError(
            f"{len(names)} contacts, one per channel",
            f"{probe.get_contact_count()} in the header's probe",
            "Check the header, or give the probe with --probe.",
        )
    shanks = np.zeros(len(names), np.int64)
    if probe.shank_ids is not None and len(probe.shank_ids):
        shanks = np.unique(np.asarray(probe.shank_ids).astype(str), return_inverse=True)[1]
    return ChannelTable.plain(
        names,
        gain_uv=gain_uv,
        position_um=np.asarray(probe.contact_positions, dtype=np.float64)[:, :2],
        shank=shanks,
        phase=phase,
        kind=kind,
        probe=plain_probe(probe),
    )


def plain_probe(probe: Any) -> dict[str, Any]:
    """Description of a probe in JSON values."""
    described = probe.to_dict(array_as_list=True)
    plain: dict[str, Any] = json.loads(json.dumps(described, default=_plain))
    return plain


def sample_phase(probe: Any) -> npt.NDArray[np.float64] | None:
    """Delay of each channel within a sample period, from a Neuropixels probe's ADC table.

    Each converter serves ``num_channels_per_adc`` channels of the AP band one after the other
    (and, in Neuropixels 1.0, one of the LF band), so that the delay is the place in that order
    over the number of places.

    Returns
    -------
    ndarray, shape (n_channels,), samples, or None where the probe states no table
    """
    order = probe.contact_annotations.get("adc_sample_order")
    per_adc = probe.annotations.get("num_channels_per_adc")
    ap_hz = probe.annotations.get("ap_sample_frequency_hz")
    lf_hz = probe.annotations.get("lf_sample_frequency_hz")
    if order is None or per_adc is None or not ap_hz or lf_hz is None:
        return None
    places = int(float(per_adc) * (1 + float(lf_hz) / float(ap_hz)))
    return np.asarray(order, dtype=np.float64) / places


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
