"""The example of the manual's page on confidence runs and says what the page says."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/manual/confidence.md").read_text()


def test_the_example_runs_as_it_stands(capsys):
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.S):
        exec(compile(block, "confidence.md", "exec"), names)
    printed = capsys.readouterr().out.split("\n")
    told = " ".join(PAGE.replace("\n# ", " ").split())
    for sentence in filter(None, printed):
        stem = re.sub(r"[\d.,]+", "", sentence)  # words; the last digits may differ by version
        assert stem in re.sub(r"[\d.,]+", "", told)
    assert names["fitted"].kind == "temperature"
    assert names["decision"].on
    assert names["off"] == {}


def test_the_table_of_numbers_is_right():
    from nissl.trust.bounds import anytime_required, required

    rows = re.findall(r"^\| (\d+) % \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, flags=re.M)
    assert len(rows) == 5
    for budget, *numbers in rows:
        share = int(budget) / 100
        expected = [required(share, errors=k) for k in (0, 1, 3)] + [anytime_required(share)]
        assert [int(n) for n in numbers] == expected
