"""The manual's page on clocks runs as it stands and says what is true."""

import re
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "manual" / "clocks.md"


def test_the_example_runs():
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    names: dict = {}
    exec(compile(code, str(PAGE), "exec"), names)
    assert names["match"].n_pairs > 100
    assert names["residuals"].left_out.max_s < 0.5e-3
    assert names["clock_findings"](names["board_to_probe"]) == []
    assert names["around"].n_events > 5
    latencies = names["session"].truth.latencies_s
    peaks = names["around"].times_s[names["around"].rate_hz.argmax(axis=1)]
    assert np.abs(peaks - latencies).max() < 0.5 / 30
