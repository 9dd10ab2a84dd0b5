"""Pages in a real browser: they load without a complaint, fit, are set, light up both ways, and obey the keyboard."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import symrnn
from symrnn.report.site import site

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="selenium is not installed (python -m pip install selenium)"
)
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="no chromium and chromedriver (apt install chromium-driver)"
    ),
    pytest.mark.xdist_group("browser"),
]

CELLS = ("rnn", "lstm", str(Path(__file__).parents[1] / "cells" / "layernorm_lstm.toml"))
PAGES = ("index", "rnn", "lstm", "layernorm_lstm")
TREE = ("rnn", "lstm", "gru", "gru_reset_after", "irnn", "indrnn")
"""The cells of the atlas; the parent of one of them is not among them."""
WIDTHS = (1280, 390)
Browser = Any
"""Selenium's driver, which has no complete types."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a few cells, one of them not bundled."""
    found = tmp_path_factory.mktemp("site")
    for name, text in site([symrnn.load(cell) for cell in CELLS]).items():
        (found / name).write_text(text, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


def visit(browser: Browser, folder: Path, page: str, width: int = 1280, scheme: str = "light") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 640}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((folder / f"{page}.html").as_uri())


def ask(browser: Browser, script: str, *arguments: object) -> Any:
    return browser.execute_script(script, *arguments)


SIZES = """
const shown = (selector) => [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility());
const boxes = shown("main math").map((each) => each.getBoundingClientRect());
const wide = document.documentElement.clientWidth;
const out = shown("main *, nav *, .tabs, .listing").filter((each) => !each.closest(".table, .graph, .drawn > div")
  && each.getBoundingClientRect().right > wide + 1);
return {
  formulas: boxes.length,
  empty: boxes.filter((box) => !(box.width > 1 && box.height > 4)).length,
  page: document.documentElement.scrollWidth,
  wide,
  out: out.slice(0, 3).map((each) => each.outerHTML.slice(0, 200)),
  back: getComputedStyle(document.body).backgroundColor,
  graphs: shown("svg.graph").map((each) => each.getBoundingClientRect().width),
};
"""
"""What can be measured of a page; tables and figures may scroll sideways in themselves."""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_in_silence_is_set_and_fits(browser: Browser, folder: Path, page: str) -> None:
    grounds = set()
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            visit(browser, folder, page, width, scheme)
            found = ask(browser, SIZES)
            assert found["formulas"] > 5
            assert found["empty"] == 0
            assert found["page"] <= found["wide"] == width
            assert found["out"] == []
            assert found["graphs"]
            assert all(graph > 0 for graph in found["graphs"])
            grounds.add(found["back"])
    assert len(grounds) == 2
    assert [entry["message"] for entry in browser.get_log("browser")] == []


LIT = """return [...document.querySelectorAll(".lit")].map((each) => [
  each.closest(".listing") ? each.closest(".listing").id : each.closest("svg") ? "graph" : "formula", each.dataset.labels]);"""


def point_at(browser: Browser, selector: str) -> str:
    """Move a mouse onto the first element of ``selector``, and say what it is numbered with."""
    element = browser.find_element("css selector", selector)
    ask(browser, "arguments[0].scrollIntoView({block: 'center'})", element)
    webdriver.ActionChains(browser).move_to_element(element).perform()
    return str(element.get_attribute("data-labels"))


@pytest.mark.parametrize(
    "start", ["#adjoint .formula[data-labels]", "#step svg.across .node.function", "#code-numpy .line.linked"]
)
def test_pointing_lights_up_all_that_has_the_same_number(browser: Browser, folder: Path, start: str) -> None:
    visit(browser, folder, "lstm")
    labels = set(point_at(browser, start).split())
    lit = ask(browser, LIT)
    assert {where for where, _ in lit} == {"formula", "graph", "code-numpy", "code-c"}
    assert all(labels & set(carried.split()) for _, carried in lit)
    everything = ask(
        browser, "return [...document.querySelectorAll('[data-labels]')].map((each) => each.dataset.labels)"
    )
    assert len(lit) == sum(bool(labels & set(carried.split())) for carried in everything)
    point_at(browser, "h1")
    assert ask(browser, LIT) == []


def test_code_comes_into_view(browser: Browser, folder: Path) -> None:
    visit(browser, folder, "lstm")
    point_at(browser, "#adjoint .formula:last-child")
    seen = """const pane = document.querySelector(".listing:not([hidden])").getBoundingClientRect();
    return [...document.querySelectorAll(".listing:not([hidden]) .lit")].some((line) => {
      const box = line.getBoundingClientRect(); return box.top >= pane.top - 1 && box.bottom <= pane.bottom + 1; });"""
    assert ask(browser, seen)


def test_the_keyboard_reaches_everything(browser: Browser, folder: Path) -> None:
    visit(browser, folder, "lstm")
    press = webdriver.ActionChains
    keys = importlib.import_module("selenium.webdriver.common.keys").Keys
    focused = "return document.activeElement.dataset.labels || document.activeElement.id"
    ask(browser, "document.querySelector('#step .formula[data-labels]').focus()")
    assert ask(browser, focused) == "1"
    assert {where for where, _ in ask(browser, LIT)} == {"formula", "graph", "code-numpy", "code-c"}
    press(browser).send_keys(keys.ARROW_DOWN).perform()
    assert ask(browser, focused) == "2"
    press(browser).send_keys(keys.ENTER).send_keys(keys.TAB).perform()
    assert ["formula", "2"] in ask(browser, LIT) or ask(browser, focused) != "2"
    press(browser).send_keys(keys.ESCAPE).perform()
    assert ask(browser, LIT) == []
    ask(browser, "document.getElementById('tab-numpy').focus()")
    press(browser).send_keys(keys.ARROW_RIGHT).perform()
    assert ask(browser, focused) == "tab-c"
    assert ask(
        browser, "return document.getElementById('code-numpy').hidden && !document.getElementById('code-c').hidden"
    )
    stops = 'return document.querySelectorAll(\'.listing [tabindex="0"], .formulas [tabindex="0"]\').length'
    assert ask(browser, stops) < 20


def test_a_tap_opens_the_code_on_a_narrow_page(browser: Browser, folder: Path) -> None:
    visit(browser, folder, "lstm", 390)
    folded = "return document.querySelector('.code').classList.contains('folded')"
    assert ask(browser, folded)
    element = browser.find_element("css selector", "#step .formula[data-labels='5']")
    ask(browser, "arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()
    assert not ask(browser, folded)
    assert ["code-numpy", "5"] in ask(browser, LIT)
    assert ask(browser, "return document.querySelector('.code').getBoundingClientRect().height") < 400


ROWS = """return [...document.querySelectorAll(".tree tbody tr")].filter((row) => row.checkVisibility())
  .map((row) => [row.querySelector("a").textContent, row.classList.contains("apart")]);"""


def test_the_atlas_finds_cells_and_keeps_their_ancestors(browser: Browser, folder: Path) -> None:
    (folder / "atlas.html").write_text(site([symrnn.load(name) for name in TREE], compared=())["atlas.html"], "utf-8")
    visit(browser, folder, "atlas")
    assert [name for name, _ in ask(browser, ROWS)] == ["rnn", "irnn", "indrnn", "lstm", "gru", "gru_reset_after"]
    found, field = browser.find_element("id", "found"), browser.find_element("id", "find")
    field.send_keys("CHO 2014 cudnn")
    assert ask(browser, ROWS) == [["lstm", True], ["gru", True], ["gru_reset_after", False]]
    assert found.text == "1 of 6"
    field.clear()
    field.send_keys("2018")
    assert ask(browser, ROWS) == [["rnn", True], ["irnn", True], ["indrnn", False]]
    field.clear()
    field.send_keys(" ")
    browser.find_element("css selector", "[data-family=simple]").click()
    assert ask(browser, ROWS) == [["rnn", False], ["irnn", False], ["indrnn", False]]
    assert found.text == "3 of 6"
    browser.find_element("css selector", "[data-family=simple]").click()
    assert len(ask(browser, ROWS)) == 6
    assert found.text == ""


def test_all_of_a_page_is_printed(browser: Browser, folder: Path) -> None:
    visit(browser, folder, "lstm")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = "return [...document.querySelectorAll('.listing')].every((each) => each.checkVisibility())"
    assert ask(browser, shown)
    assert ask(browser, "return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
