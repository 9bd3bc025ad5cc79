"""Explanations of units in a real browser: opened, followed from unit to unit, refused in words."""

import shutil
import time
from types import SimpleNamespace

import pytest
from tests.web.waiting import PATIENCE_S, says, until

from nissl.testing.studies import unit_study

PATIENCE_MS = 120_000


class Opened:
    """`nissl review` in a process, and a page of the units of its project."""

    def __init__(self, bench, browser, path):
        self.server = bench.Server(SimpleNamespace(path=path, database="sqlite"))
        client = self.server.client("Ana")
        desks = client.get("/api/project")["desks"]
        client.close()
        self.key = next(desk["key"] for desk in desks if desk["view"] == "units")
        self.faults = []
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.add_init_script("localStorage.setItem('nissl-reader', 'Ana')")
        self.page.goto(f"{self.server.url}#/desk/{self.key}/item/0")
        self.page.wait_for_selector(".unit-facts tr")

    def edits(self, reader, n):
        """All that a reader decided on the units, once it is `n` edits or more."""
        client, until = self.server.client(reader), time.monotonic() + PATIENCE_S
        while True:
            found = [one["edit"] for one in client.get("/api/edits", after=0)["edits"]]
            mine = [e for e in found if e["reviewer"] == reader and e["base"] == self.key]
            if len(mine) >= n or time.monotonic() > until:
                client.close()
                return mine
            time.sleep(0.05)

    def unit(self):
        return self.page.get_attribute(".units", "data-unit")

    def explains(self, unit):
        """Wait for the words and the picture of a unit, and for the picture to be drawn."""
        self.page.wait_for_selector(f".unit-said li:has-text('Unit {unit}: ')")
        self.page.wait_for_function(
            "() => document.querySelector('.unit-picture')?.naturalWidth > 500"
        )


@pytest.fixture
def opened(bench, browser):
    started = []

    def start(path):
        started.append(Opened(bench, browser, path))
        return started[-1]

    yield start
    for each in started:
        each.page.context.close()
        if each.server.process.poll() is None:
            each.server.kill()


def test_a_unit_is_explained_on_demand_and_the_next_one_follows(opened, sorted_study, tmp_path):
    shutil.copytree(sorted_study.parent, tmp_path / "sorting")
    app = opened(tmp_path / "sorting" / "study")
    page = app.page
    assert not page.is_visible(".unit-explained")
    first = app.unit()
    page.click(".unit-metrics button:has-text('Explain')")
    app.explains(first)
    says(page, ".unit-said", "were found again")
    page.wait_for_selector(".unit-cloud-time", state="hidden")
    page.keyboard.press("Enter")  # to its neighbour
    page.wait_for_function(f"() => document.querySelector('.units').dataset.unit !== '{first}'")
    app.explains(app.unit())
    page.keyboard.press("Escape")
    page.wait_for_selector(".unit-explained", state="hidden")
    page.wait_for_selector(".unit-cloud-time", state="visible")
    page.keyboard.press("e")
    app.explains(app.unit())
    assert app.faults == []


def test_the_sorters_cut_is_looked_at_and_made_by_one_key(opened, sorted_study, tmp_path):
    shutil.copytree(sorted_study.parent, tmp_path / "sorting")
    app = opened(tmp_path / "sorting" / "study")
    page, edits = app.page, app.edits
    page.keyboard.press("g")  # unit 0 with its neighbour: two neurons now
    page.wait_for_function("() => !document.querySelector('.unit-row[aria-label^=\"Unit 1:\"]')")
    page.keyboard.press("c")
    page.wait_for_selector(".unit-compare")
    page.wait_for_selector(".unit-workspace :text('become a new unit')")
    says(page, ".status", "To the sorter these are two neurons")
    page.keyboard.press("k")
    page.wait_for_selector(".unit-compare", state="hidden")
    merge, split = (edits("Ana", 2)[k] for k in (0, -1))
    assert (merge["kind"], split["kind"], split["items"]) == ("merge", "split", [0])
    assert len(split["payload"]["rows"][0]) > 50
    assert app.faults == []


def test_a_cut_asked_for_while_units_are_read_anew_stays(opened, sorted_study, tmp_path):
    shutil.copytree(sorted_study.parent, tmp_path / "sorting")
    app = opened(tmp_path / "sorting" / "study")
    page, held, slow = app.page, [], [False]
    page.context.route(
        f"**/desks/{app.key}/units/0/similar*",
        lambda route: held.append(route) if slow[0] else route.continue_(),
    )
    page.reload()
    page.wait_for_selector(".unit-facts tr")
    page.keyboard.press("m")  # the workspace is open
    page.wait_for_selector(".unit-workspace", state="visible")
    slow[0] = True
    page.keyboard.press("g")
    until(page, lambda: held)  # the units are read anew, which takes its time
    page.keyboard.press("c")
    page.wait_for_selector(".unit-workspace :text('become a new unit')")
    slow[0] = False
    with page.expect_response("**/units/0/spikes*"):  # the last of what is read anew
        for route in held:
            route.continue_()
    page.wait_for_timeout(1500)  # what would take its place comes well within that
    assert page.is_visible(".unit-workspace :text('become a new unit')")
    page.keyboard.press("k")
    assert app.edits("Ana", 2)[-1]["kind"] == "split"
    assert app.faults == []


def test_units_of_another_sorter_are_told_so(opened, tmp_path):
    unit_study(tmp_path / "study", n_units=4, seed=2)
    app = opened(tmp_path / "study")
    app.page.keyboard.press("e")
    says(app.page, ".unit-explained [role=alert]", "units that spikes/nissl sorted")
    assert app.faults == []
