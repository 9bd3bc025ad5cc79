"""The simulated parts of the benchmark of rates: frame by frame, and voltage.

python _rates_parts.py online|voltage full|quick ANSWER
"""

from __future__ import annotations

import sys
from pathlib import Path

import _rates_online
import _rates_voltage
from _common import write_result

PARTS = {"online": _rates_online.run, "voltage": _rates_voltage.run}

if __name__ == "__main__":
    _part, _size, _answer = sys.argv[1:]
    write_result(Path(_answer), PARTS[_part](quick=_size == "quick"))
