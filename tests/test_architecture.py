"""The house rules that no linter knows."""

import ast
from pathlib import Path

import pytest

import nissl

SOURCE = Path(nissl.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
# Pickle goes between our own processes here, and into a hash; it is never read from a file.
PICKLE_IN_MEMORY = {"run/executors.py", "run/identity.py"}
# Files of other programs that are pickles by their own definition: written here, never read so.
PICKLES_FOR_OTHERS = {"io/pickled.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_hold_one_idea_and_no_forbidden_calls(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) <= 450, "split the file by idea"
    name = path.relative_to(SOURCE).as_posix()
    for node in ast.walk(ast.parse(text)):
        if not name.startswith("testing/"):  # contract suites are tests
            assert not isinstance(node, ast.Assert), f"assert for input, line {node.lineno}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
            assert "pickle" not in names or name in PICKLE_IN_MEMORY, f"line {node.lineno}"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant)
            ours = node.value.value is False or name in PICKLES_FOR_OTHERS
            assert ours, f"allow_pickle, line {node.value.lineno}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_modules_say_what_they_are_for(path: Path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert "Placeholder" not in docstring
