"""The documentation names everything there is."""

import re
from pathlib import Path

import pytest
import typer

import nissl.errors
from nissl.cli import app
from nissl.io import EXPORTERS
from nissl.tasks import ANNOTATORS

ROOT = Path(__file__).parents[1]
CLI = (ROOT / "docs/manual/cli.md").read_text()


def _commands():
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        yield from ([f"{name} {sub}" for sub in inner] if inner else [name])


@pytest.mark.parametrize("command", sorted(_commands()))
def test_every_command_is_in_the_manual(command):
    assert f"`nissl {command}" in CLI


def test_the_manual_names_no_command_that_is_not_there():
    inner = "spikes|session|cells|build|show|merge|import-[a-z0-9]+|find|need|held"
    named = set(re.findall(rf"^\| `nissl ([a-z]+(?:-[a-z]+)*(?: (?:{inner}))?)", CLI, flags=re.M))
    assert named == set(_commands())


def test_every_exit_code_is_in_the_manual():
    codes = {
        c.exit_code
        for c in vars(nissl.errors).values()
        if isinstance(c, type) and hasattr(c, "exit_code")
    }
    listed = {int(n) for n in re.findall(r"^\| (\d+) \|", CLI, flags=re.M)}
    assert codes <= listed


def test_every_method_and_format_is_in_the_manual():
    annotate = (ROOT / "docs/manual/annotate.md").read_text()
    for name in ANNOTATORS:
        assert f"`{name}`" in annotate
    export = (ROOT / "docs/manual/export.md").read_text()
    for name in EXPORTERS:
        assert f"`{name}`" in export


def test_readme_names_both_commands_and_the_seven_lines_compile():
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme
    block = re.search(r"```python\n(.*?)```", readme, flags=re.S)
    assert block
    lines = [line for line in block.group(1).splitlines() if line and not line.startswith("import")]
    assert len(lines) == 7
    compile(block.group(1), "README.md", "exec")
