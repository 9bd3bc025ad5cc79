"""Waits for what a page shows. It answers a key when it can: a value that is read once may be old.

Conditions are functions, never expressions: the page's policy forbids to evaluate those again.
Nor are they promises, which are true at once: `until` asks for what takes a promise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_MS = 60_000
PATIENCE_S = PATIENCE_MS / 1000
"""A busy machine takes its time; a wait that ends well costs none."""


def until(page: Any, holds: Callable[[], object]) -> None:
    """Wait until something holds that is asked here, while the page's routes and events go on."""
    late = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < late, found
        page.wait_for_timeout(20)


def says(page: Any, selector: str, text: str) -> None:
    """Wait until an element holds a text."""
    _wait(page, "all.some(e => e.textContent.includes(wanted))", selector, text)


def lacks(page: Any, selector: str, text: str) -> None:
    """Wait until there are such elements, and none of them holds a text."""
    _wait(page, "all.length && !all.some(e => e.textContent.includes(wanted))", selector, text)


def valued(page: Any, selector: str, value: str) -> None:
    """Wait until a field has a value."""
    _wait(page, "all[0]?.value === wanted", selector, value)


def counted(page: Any, selector: str, n: int) -> None:
    """Wait until there are so many elements."""
    _wait(page, "all.length === wanted", selector, n)


def shown(page: Any, item: int) -> None:
    """Wait until the heading names an item."""
    _wait(page, "all[0]?.textContent.endsWith(` ${wanted}`)", ".verdict h1", item)


def left(page: Any, item: int) -> None:
    """Wait until the heading names another item than this one."""
    _wait(page, "all[0] && !all[0].textContent.endsWith(` ${wanted}`)", ".verdict h1", item)


def item(page: Any) -> int:
    """The item that the heading names."""
    return int(page.text_content(".verdict h1").split()[-1])


def saved(page: Any) -> None:
    """Wait until the server has every decision of the page, and the page says so."""
    page.wait_for_function("() => window.__nissl.waiting() === 0", timeout=PATIENCE_MS)
    says(page, ".light", "Saved")


KEPT = """() => new Promise(done => { const open = indexedDB.open('nissl-review');
  open.onsuccess = () => { const all = open.result.transaction('decisions')
    .objectStore('decisions').count();
    all.onsuccess = () => { open.result.close(); done(all.result); }; }; })"""


def kept(page: Any, n: int) -> None:
    """Wait until the browser keeps so many decisions that the server has not."""
    until(page, lambda: page.evaluate(KEPT) == n)


def desk_opened(page: Any, desk: str) -> None:
    """Go to a desk, and wait until its queue is there: nothing of the one before is shown then."""
    page.evaluate("desk => { location.hash = `#/desk/${desk}`; }", desk)
    page.wait_for_function(
        "desk => location.hash.startsWith(`#/desk/${desk}/item/`)", arg=desk, timeout=PATIENCE_MS
    )


def _wait(page: Any, condition: str, selector: str, wanted: object) -> None:
    from playwright.sync_api import TimeoutError as Late

    function = f"""([selector, wanted]) => {{
        const all = [...document.querySelectorAll(selector)];
        return {condition};
    }}"""
    try:
        page.wait_for_function(function, arg=[selector, wanted], timeout=PATIENCE_MS)
    except Late as error:
        found = page.locator(selector).all_text_contents()
        raise AssertionError(f"{selector} holds {found}; wanted: {wanted!r}") from error
