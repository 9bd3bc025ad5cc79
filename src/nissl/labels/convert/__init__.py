"""Label sets to and from the objects of other packages.

Samples are the truth here and seconds there: a `Clock` translates, segment by segment. What
a target cannot hold is said in each function; provenance never travels and has to be given
on the way back. Nothing is repaired in silence: what a target would change (overlapping
intervals in pynapple) raises instead.
"""

from nissl.labels.convert.mne import from_mne, to_mne
from nissl.labels.convert.pandas import from_pandas, to_pandas
from nissl.labels.convert.pynapple import from_pynapple, to_pynapple
from nissl.labels.convert.spikeinterface import from_spikeinterface, to_spikeinterface

__all__ = [
    "from_mne",
    "from_pandas",
    "from_pynapple",
    "from_spikeinterface",
    "to_mne",
    "to_pandas",
    "to_pynapple",
    "to_spikeinterface",
]
