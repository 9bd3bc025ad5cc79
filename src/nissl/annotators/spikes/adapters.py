"""The methods of the task "spikes"; `nissl.tasks` names them."""

from nissl.annotators.spikes.adapter import SorterAdapter
from nissl.annotators.spikes.kilosort4 import Kilosort4
from nissl.annotators.spikes.own.method import NisslSorter
from nissl.annotators.spikes.sorters import KILOSORT, SORTERS

LUPIN = SorterAdapter(SORTERS["lupin"])
TRIDESCLOUS2 = SorterAdapter(SORTERS["tridesclous2"])
SPYKINGCIRCUS2 = SorterAdapter(SORTERS["spykingcircus2"])
MOUNTAINSORT5 = SorterAdapter(SORTERS["mountainsort5"])
KILOSORT4 = Kilosort4(KILOSORT)
NISSL = NisslSorter()
