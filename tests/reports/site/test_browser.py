"""The site in a real browser: Debian's Chromium, driven by Playwright. Skipped where there is none."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from collections.abc import Iterator

import pytest

from reports import build_site
from reports.site.parts.catalogue import Catalogue, MethodCard
from reports.site.parts.links import record_page

playwright = pytest.importorskip("playwright.sync_api", reason="the dev extra is not installed")

HOSTILE = "<img src=https://evil.example/x onerror=window.ran=1><script>window.ran=1</script>"
CARD = MethodCard(
    name="lora",
    summary="Low-rank updates.",
    notes="What it is.\n\n    y = W x",
    source="arXiv 2106.09685",
    places={"query": "low-rank update", "keys_values": "prefix"},
    mergeable=True,
    learning_rate=1e-3,
    options=(),
    citation="@article{hu}",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory, study_records):
    folder = tmp_path_factory.mktemp("site")
    build_site(study_records, folder, catalogue=Catalogue(methods=(CARD,)))
    return folder


@pytest.fixture(scope="module")
def study_records(make_record, make_study):
    records = [*make_study(seeds=3), make_record(task="imdb"), make_record("head", task="imdb", score=0.6)]
    hostile = make_record(HOSTILE, task="imdb", score=0.55, options={HOSTILE: HOSTILE}, study=HOSTILE)
    return [*records, hostile]


@pytest.fixture(params=["disk", "host"])
def address(request, site) -> Iterator[str]:
    """The site opened from disk and from a host."""
    if request.param == "disk":
        yield site.as_uri()
        return

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser, address) -> Iterator[object]:
    """A tab that fails the test on any complaint of the browser, and on any request to elsewhere."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    said, asked = [], []
    tab.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.root = address
    yield tab
    assert tab.evaluate("window.ran") is None
    tab.close()
    assert said == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def _open(page, name="results.html"):
    page.goto(f"{page.root}/{name}")
    page.wait_for_load_state("load")
    return page


def _column(page, number):
    return page.locator(f"#board tbody tr > :nth-child({number})").evaluate_all(
        "cells => cells.map((cell) => cell.dataset.order ?? cell.textContent)"
    )


def test_a_click_sorts_and_another_turns_it_around(page):
    _open(page)
    button = page.locator("#board thead th", has_text="Trainable parameters")
    button.click()
    playwright.expect(button).to_have_attribute("aria-sort", "ascending")
    rising = [float(value) for value in _column(page, 6)]
    assert rising == sorted(rising)
    button.click()
    playwright.expect(button).to_have_attribute("aria-sort", "descending")
    assert [float(value) for value in _column(page, 6)] == rising[::-1]


def test_the_keyboard_sorts(page):
    _open(page)
    page.locator("#board thead th [role=button]").nth(2).focus()
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#board thead th").nth(2)).to_have_attribute("aria-sort", "ascending")
    scores = [float(value) for value in _column(page, 3)]
    assert scores == sorted(scores)


def test_what_is_missing_comes_last_both_ways(page):
    _open(page)
    for _ in range(2):
        page.locator("#board thead th", has_text="Latency, merged").click()
        found = _column(page, 10)
        known = [value for value in found if value]
        assert known
        assert found == [*known, *[""] * (len(found) - len(known))]


def test_limits_change_the_answer_at_once_and_stand_in_the_address(page):
    _open(page, "index.html")
    answer = page.locator("#answer")
    assert "22.7 M" in answer.inner_text()
    assert answer.get_attribute("data-pick")
    page.wait_for_selector("#figure svg.drawn")
    slider = page.locator("input[name=parameters]")
    slider.focus()
    page.keyboard.press("Home")
    assert "Ruled out: " in answer.inner_text()
    assert "#max-params=" in page.url
    before = answer.inner_text()
    page.goto(page.url.replace("index.html#", "index.html?again#"))
    assert page.locator("#answer").inner_text() == before, "a view can be sent"
    page.click("button[type=reset]")
    page.wait_for_function("!document.getElementById('answer').innerText.includes('Ruled out')")
    assert "max-params" not in page.url


def test_the_figure_in_a_frame_shows_the_view_of_the_first_page_alone(page):
    _open(page, "index.html")
    page.wait_for_selector("#figure svg.drawn")
    page.locator("input[name=parameters]").focus()
    page.keyboard.press("Home")
    answer = page.locator("#answer").inner_text()
    code = page.locator("#frame").text_content()
    address = re.search('src="([^"]+)"', code)[1]
    assert address.startswith(f"{page.root}/embed.html#max-params=")
    page.goto(address)
    page.wait_for_selector("#figure svg.drawn")
    assert page.locator("#answer").inner_text() == answer.replace(": ask for yours.", ".")
    assert not page.locator("form, nav, footer").locator("visible=true").count()
    assert page.locator("#whole").get_attribute("href").endswith(address.rpartition("#")[2])


def test_two_methods_side_by_side(page):
    _open(page, "compare.html#compare=lora,full")
    assert page.locator("#said").inner_text().startswith("lora and full: ")
    row = page.locator("#verdicts tbody tr", has_text="rotten_tomatoes")
    page.click("#swap")
    assert page.locator("#said").inner_text().startswith("full and lora: ")
    assert page.url.endswith("#compare=full,lora")
    assert row.count() == 1
    assert page.locator("#costs tbody tr").count() == 6


def test_filters_by_task_method_and_budget(page):
    _open(page)
    page.select_option("select[name=task]", "imdb")
    assert page.locator("#board tbody tr").count() == 3
    assert page.url.endswith("#task=imdb")
    assert page.locator("select[name=part]").input_value() == "1", "the figure follows"
    page.select_option("select[name=method]", "lora")
    assert page.locator("#board tbody tr").count() == 1
    page.click("button[type=reset]")
    page.wait_for_function("document.querySelectorAll('#board tbody tr').length === 12")
    page.select_option("select[name=parameters]", index=1)
    limit = float(page.locator("select[name=parameters]").input_value())
    left = [float(value) for value in _column(page, 6)]
    assert left
    assert max(left) <= limit
    page.select_option("select[name=method]", "full")
    assert "No row is within these limits" in page.locator("#board tbody").inner_text()


def test_the_figure_has_the_front_of_the_table_and_other_axes(page):
    _open(page)
    page.select_option("select[name=part]", "2")
    plot = page.locator("#pareto")
    page.wait_for_selector("#pareto svg.drawn")
    marked = page.locator("#board tr[data-part='2']:has(.mark:not(.dominated))").evaluate_all(
        "rows => rows.map((row) => row.dataset.label)"
    )
    assert set(plot.get_attribute("data-front").split(" | ")) == set(marked)
    page.select_option("select[name=x]", "memory")
    page.wait_for_function("document.querySelector('#pareto svg.drawn').textContent.includes('memory')")
    assert "head" in plot.get_attribute("data-front")
    page.select_option("select[name=y]", "seconds")
    page.wait_for_function("document.querySelector('#pareto svg.drawn').textContent.includes('seconds')")
    assert plot.get_attribute("data-front") == "head", "least memory and least time"


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_figure_is_saved(page, kind):
    _open(page)
    page.wait_for_selector("#pareto svg.drawn")
    with page.expect_download() as waiting:
        page.click(f"[data-save=pareto][data-format={kind}]")
    with open(waiting.value.path(), "rb") as stream:
        assert stream.read(4) == {"svg": b"<svg", "png": b"\x89PNG"}[kind]


def test_from_the_table_to_a_trial_and_back(page):
    _open(page)
    page.locator("#board tbody a", has_text="lora").first.click()
    page.wait_for_selector("h1")
    assert page.locator("h1").inner_text().startswith("lora")
    page.locator("a", has_text="seed 1").first.click()
    assert "paretune run trial.yaml" in page.locator("pre").inner_text()
    page.locator("nav.bar a", has_text="Choose").click()
    assert page.locator("#answer").is_visible()


def test_a_hostile_record_is_shown_and_does_not_run(page, study_records):
    _open(page)
    page.select_option("select[name=part]", "1")
    page.wait_for_selector("#pareto svg.drawn")
    assert page.locator("#board tbody th", has_text="<img src=").count() == 1
    assert "onerror" in page.locator("#pareto").inner_text()
    for name in ("tasks/imdb.html", "methods/index.html", record_page(study_records[-1])):
        _open(page, name)
        assert "onerror" in page.locator("main").inner_text()
        page.mouse.wheel(0, 5000)
        page.wait_for_timeout(100)
