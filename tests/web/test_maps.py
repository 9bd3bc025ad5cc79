"""Error maps in the app: the routes, and the page in a real browser."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient
from tests.web.waiting import PATIENCE_MS, counted, says

from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.project import open_project
from nissl.project.reviewing import open_room
from nissl.testing.days import add_day
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.serve import listen
from nissl.web.sessions import Keys

BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))
PICTURES = os.environ.get("NISSL_PICTURES")
"""Folder for pictures of the page, to be looked at."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of each of two subjects, and the map of all pairs."""
    folder = tmp_path_factory.mktemp("maps")
    rng = np.random.default_rng(0)
    with open_project(folder / "study") as project:
        tables = []
        for who in ("ada", "bob"):
            subject = simulate_subject(np.random.default_rng(len(tables)))
            for k in range(3):
                day = simulate_day(rng, subject, n_units=40, n_trials=64)
                seed = len(tables)
                tables.append(add_day(project, folder, day, f"{who}{k + 1}", seed, subject=who))
        project.errormap(tables, bin_s=0.1, permutations=39, group=("subject",))
    return folder / "study"


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "study"))


@pytest.fixture
def talk(study: Path, tmp_path: Path) -> Iterator[TestClient]:
    keys = Keys()
    with open_project(study, create=False) as project:
        guard = Guard(create_app(open_room(project.store), static=tmp_path / "static"), keys)
        headers = {"Authorization": f"Bearer {keys.token}"}
        address = "http://127.0.0.1:8477"
        with TestClient(guard, address, headers=headers, raise_server_exceptions=False) as client:
            yield client


def test_a_kept_map_is_told_without_the_recordings(talk: TestClient, study: Path) -> None:
    (kept,) = talk.get("/api/errormaps").json()["maps"]
    assert (kept["name"], kept["sources"]) == ("errormap", 6)
    told = talk.get("/api/errormaps/errormap").json()
    assert sorted(told["order"]) == list(range(6))
    assert np.array(told["values"]["skill"]).shape == (6, 6)
    assert np.array(told["embedding"]).shape == (6, 2)
    assert "subject" in told["explained"][0]["says"]
    cell = talk.get("/api/errormaps/errormap/cell", params={"read": 0, "predicted": 1}).json()
    assert len(cell["axes"]) == 3
    assert len(cell["units"]) == 4
    said, came = (np.array(cell["axes"][0][k]) for k in ("predicted", "came"))
    assert len(said) == len(told["conditions"]) * told["steps"]
    assert np.corrcoef(said, came)[0, 1] > 0.7
    best = [unit["skill"] for unit in cell["units"]]
    assert best == sorted(best, reverse=True)
    why = talk.get("/api/errormaps/errormap/reasons", params={"read": 0, "predicted": 4}).json()
    lost = sum(one["loss"] for one in why["reasons"])
    assert lost == pytest.approx(1 - told["values"]["skill"][0][4], abs=1e-3)


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2F..", "%2Fetc", "nothing", "a" * 200, "errormap%00", "linked"]
)
def test_no_name_leads_out_of_the_study(
    talk: TestClient, study: Path, tmp_path: Path, name: str
) -> None:
    shutil.copytree(study / "reports" / "errormap", tmp_path / "elsewhere")
    (study / "reports" / "linked").symlink_to(tmp_path / "elsewhere")
    assert 400 <= talk.get(f"/api/errormaps/{name}").status_code < 500
    assert [m["name"] for m in talk.get("/api/errormaps").json()["maps"]] == ["errormap"]


def test_what_is_not_there_or_damaged_is_refused(talk: TestClient, study: Path) -> None:
    for read, predicted in ((6, 0), (0, 99), (-1, 0)):
        where = {"read": read, "predicted": predicted}
        for part in ("cell", "reasons"):
            answer = talk.get(f"/api/errormaps/errormap/{part}", params=where)
            assert 400 <= answer.status_code < 500
    cells = study / "reports" / "errormap" / "cells.npz"
    cells.write_bytes(cells.read_bytes()[:1000])
    answer = talk.get("/api/errormaps/errormap/cell", params={"read": 0, "predicted": 1})
    assert "nissl errormap" in answer.json()["error"]["remedy"]


def test_a_cell_is_chosen_by_mouse_and_by_keys(browser: Any, study: Path) -> None:
    faults: list[str] = []
    with open_project(study, create=False) as project:
        app, keys, bound = create_app(open_room(project.store), static=BUILT), Keys(), listen(None)
        server = uvicorn.Server(uvicorn.Config(Guard(app, keys), log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: said.type == "error" and faults.append(said.text))
        try:
            page.goto(f"http://127.0.0.1:{bound.getsockname()[1]}/?token={keys.token}")
            page.fill("dialog[open] input", "Ann")
            page.keyboard.press("Enter")
            page.keyboard.press("Alt+5")
            page.wait_for_selector("canvas.heat")
            page.focus("canvas.heat")
            page.keyboard.press("ArrowRight")
            page.wait_for_selector("section.chosen")
            page.keyboard.press("ArrowRight")
            says(page, ".status", "predicted from")
            page.wait_for_selector("table.reasons")
            counted(page, "section.chosen .u-wrap", 7)
            page.wait_for_selector("canvas.heat[aria-label*='predicted from']")
            said = page.get_attribute("canvas.heat", "aria-label")
            for theme in ("light", "dark"):
                if page.evaluate("document.documentElement.dataset.theme") != theme:
                    page.click("button[aria-label='Light or dark']")
                if PICTURES:
                    page.wait_for_timeout(300)
                    page.screenshot(path=f"{PICTURES}/maps_{theme}.png")
                    page.evaluate("document.querySelector('.page').scrollTop = 1e4")
                    page.wait_for_timeout(200)
                    page.screenshot(path=f"{PICTURES}/maps_{theme}_below.png")
                    page.evaluate("document.querySelector('.page').scrollTop = 0")
            page.click("text=Asymmetry")
            page.click("canvas.heat", position={"x": 300, "y": 140})
            page.wait_for_function(
                "said => document.querySelector('canvas.heat').ariaLabel !== said", arg=said
            )
            assert not faults
        finally:
            app.state.closing.set()
            page.context.close()
            server.should_exit = True
            thread.join(timeout=20)
