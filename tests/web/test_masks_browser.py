"""Outlines of masks in the view of tracks, in a real browser."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from tests.web.waiting import PATIENCE_MS, counted, says

from nissl.labels import Author
from nissl.review.room import Room
from nissl.testing.masks import PERSON, masks_beside
from nissl.testing.worms import tracked_worm
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.serve import listen
from nissl.web.sessions import Keys

MODEL = Author("model", "masks/nissl", "1")
BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))


@pytest.fixture
def page(browser: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    worm = tracked_worm(
        tmp_path, np.random.default_rng(3), n_neurons=10, n_frames=12, shape=(12, 64, 112)
    )
    masks_beside(worm, every=2, author=request.param)  # none in odd volumes
    room = Room(worm.project.store, worm.raw)
    app, keys, bound = create_app(room, static=BUILT), Keys(), listen(None)
    server = uvicorn.Server(uvicorn.Config(Guard(app, keys), log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    made = context.new_page()
    made.set_default_timeout(PATIENCE_MS)
    made.goto(f"http://127.0.0.1:{bound.getsockname()[1]}/?token={keys.token}")
    made.fill("dialog[open] input", "Ann")
    made.keyboard.press("Enter")
    made.wait_for_selector(".points[data-frame], .mask-sizes")
    yield made
    context.close()
    app.state.closing.set()
    server.should_exit = True
    thread.join(timeout=20)
    worm.project.close()


def outlined(page: Any, axis: str, what: str) -> None:
    page.wait_for_function(
        f"() => {{ const n = Number(document.querySelector('.pt-{axis} .pt-host').dataset.masks);"
        f" return {what}; }}"
    )


def go(page: Any, command: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(command)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("page", [PERSON], indirect=True)
def test_outlines_follow_the_plane_the_volume_and_their_key(page: Any) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    go(page, "volume 4")
    outlined(page, "xy", "n > 0 && n < 10")
    page.keyboard.press("i")  # projections: every neuron
    outlined(page, "xy", "n >= 9")
    outlined(page, "yz", "n > 3")
    if shot := os.environ.get("NISSL_SHOT"):
        page.wait_for_timeout(1000)
        page.screenshot(path=f"{shot}-flat.png")
    page.keyboard.press("ArrowRight")
    outlined(page, "xy", "n === 0")
    page.keyboard.press("ArrowLeft")
    outlined(page, "xy", "n > 0")
    page.keyboard.press("r")
    outlined(page, "xy", "n === 0")
    button = page.locator(".pt-bar button[aria-pressed=false][title*=ada]", has_text="Masks")
    button.click()
    outlined(page, "xy", "n > 0")
    page.keyboard.press("i")
    outlined(page, "xy", "n > 0 && n < 10")
    if shot:
        page.wait_for_timeout(1000)
        page.screenshot(path=f"{shot}-planes.png")
    assert not faults


@pytest.mark.parametrize("page", [MODEL], indirect=True)
def test_proposed_masks_are_decided_on_by_neuron_with_their_sizes(page: Any) -> None:
    go(page, "goto 3")
    page.wait_for_selector(".mask-sizes rect")
    page.wait_for_selector("section.detail[aria-label='Item 3']")
    counted(page, ".mask-sizes rect", 6)
    says(page, ".mask-sizes rect:first-child title", "voxels")
    if shot := os.environ.get("NISSL_SHOT"):
        page.wait_for_timeout(500)
        page.screenshot(path=f"{shot}-sizes.png")
