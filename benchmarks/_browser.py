"""A real Chromium with a profile of its own, that can be killed like a power cut."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Playwright, Request, Response, sync_playwright

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1440,900",
)
_started: list[Playwright] = []


def chromium() -> str | None:
    """Chromium's program, None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def _playwright() -> Playwright:
    # one for the process: starting it takes longer than a browser
    if not _started:
        _started.append(sync_playwright().start())
    return _started[0]


def stop() -> None:
    """End Playwright in this process, so that others can start theirs."""
    while _started:
        _started.pop().stop()


class Page:
    """The review app in a browser of its own.

    Parameters
    ----------
    url : str
        With the token.
    profile : Path
        Folder of the browser's profile; what it keeps outlives a kill.
    reader : str
    desk : str
        Digest of the desk that is opened.
    """

    def __init__(self, url: str, profile: Path, *, reader: str, desk: str) -> None:
        profile.mkdir(parents=True, exist_ok=True)
        for name in ("DevToolsActivePort", "SingletonLock", "SingletonCookie", "SingletonSocket"):
            with suppress(OSError):
                (profile / name).unlink()
        program = chromium()
        if program is None:
            raise FileNotFoundError("no Chromium; run: apt-get install -y chromium")
        self.process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self.faults: list[str] = []
        browser = _playwright().chromium.connect_over_cdp(self._endpoint(profile))
        self.page = browser.contexts[0].pages[0]
        self.page.on("request", self._request)
        self.page.on("response", self._response)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        name = json.dumps(reader)
        self.page.add_init_script(f"localStorage.setItem('nissl-reader', {name})")
        self.page.goto(f"{url}#/desk/{desk}")
        self.page.wait_for_selector(".progress b", timeout=60_000)
        self.page.wait_for_selector("main h1, main h2", timeout=60_000)

    @property
    def waiting(self) -> int:
        """Decisions that the page holds and the server hasn't acknowledged."""
        return int(self.page.evaluate("window.__nissl.waiting()"))

    def _endpoint(self, profile: Path) -> str:
        file = profile / "DevToolsActivePort"
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(OSError, IndexError):
                return f"http://127.0.0.1:{file.read_text().split()[0]}"
            time.sleep(0.02)
        raise TimeoutError("Chromium did not open its debugging port")

    def _request(self, request: Request) -> None:
        self.sent |= _uuids(request)

    def _response(self, response: Response) -> None:
        if response.status == 200:
            self.acknowledged |= _uuids(response.request)

    def press(self, key: str) -> None:
        """Press a key, as a reader does."""
        self.page.keyboard.press(key)

    def settle(self, seconds: float = 30.0) -> None:
        """Wait until the page holds nothing that isn't acknowledged, at most so long."""
        end = time.monotonic() + seconds
        self.page.wait_for_timeout(500)
        while self.waiting and time.monotonic() < end:
            self.page.wait_for_timeout(100)
        self.page.wait_for_timeout(200)  # for the last answers to be heard here

    def kill(self) -> None:
        """End all of the browser's processes as `kill -9` does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with suppress(Error):
            self.page.context.browser.close()  # type: ignore[union-attr]


def _uuids(request: Request) -> set[str]:
    if request.method != "POST" or not request.url.split("?")[0].endswith("/api/decisions"):
        return set()
    body: dict[str, Any] = json.loads(request.post_data or "{}")
    return {edit["uuid"] for edit in body.get("edits", ())}
