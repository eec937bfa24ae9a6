"""What readers ask of the published pages, in a real browser: what they misread, and could not find."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reports
from reports import build_site
from reports.claims import judge, parse_claim
from reports.records.reading import read_all
from reports.site.parts.catalogue import Catalogue, MethodCard
from reports.site.parts.links import record_page

from ..servings import build_serving, build_servings

playwright = pytest.importorskip("playwright.sync_api", reason="the dev extra is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the dev extra is not installed")

BOARDS = Path(reports.__file__).parent / "leaderboards"
SHOWN = ("tuned-reviews", "tuned-glue", "rotten-tomatoes", "intrinsic", "latency-small-batch")
PAGES = (
    *("index.html", "results.html", "compare.html", "embed.html", "protocol.html", "memory.html"),
    *("tasks/rotten_tomatoes.html", "tasks/index.html", "methods/index.html", "methods/lora.html"),
    *("latency.html", "serving.html", "intrinsic.html", "claims.html"),
    *("imported.html", "imported-results.html", "imported-embed.html"),
    *("imported/tasks/index.html", "imported/methods/lora.html"),
)
OFF = {"control": 1.03, "widest": 0.03}
CONTROLS = "a[href], button, select, input, summary"
LIMITED = "index.html#max-checkpoint=1MB"


@pytest.fixture(scope="module")
def failed(make_record: Any) -> Any:
    return make_record(task="imdb", status="failed", message="RuntimeError: of <no> use")


@pytest.fixture(scope="module")
def site(tmp_path_factory: Any, failed: Any, make_record: Any) -> Path:
    """The published records, a trial that failed, and a claim with a verdict."""
    folder = tmp_path_factory.mktemp("published")
    found = read_all([*(BOARDS / name for name in SHOWN), BOARDS.parent / "imported"])
    rule = {
        **{"kind": "trend", "what": "The accuracy", "over": "options.rank", "where": {"method": "lora"}},
        **{"at_least": 0.01, "choose": "protocol.learning_rate"},
    }
    claim = parse_claim(
        {
            **{"number": 1, "statement": "It rises.", "source": "Hu et al."},
            **{"url": "https://arxiv.org/abs/2106.09685", "measured": "Much.", "needs": "Seeds."},
            "parts": [{"says": "The score rises.", "in_words": "By a point a doubling.", "rule": rule}],
        },
        "rank",
    )
    trials = [
        make_record("lora", seed=seed, score=0.6 + 0.03 * power + jitter, options={"rank": 2**power})
        for power in range(3)
        for seed, jitter in enumerate((-1e-5, 0.0, 1e-5))
    ]
    card = MethodCard(
        **{
            "name": "lora",
            "summary": "Low-rank updates.",
            "notes": "What it is.\n\n    y = W x",
            "source": "arXiv",
        },
        **{"places": {"query": "low-rank update"}, "mergeable": True, "learning_rate": 1e-3, "options": ()},
        citation="@article{hu}",
    )
    build_site(
        [*found.trials.values(), failed],
        folder,
        latencies=list(found.latencies.values()),
        servings=[*build_servings(joules={"mixed": 2.5}), build_serving("bitfit", cell=OFF)],
        # Whatever of it is superseded by now: here it is the board that is read.
        origins={key: replace(origin, superseded=None) for key, origin in found.origins.items()},
        catalogue=Catalogue(methods=(card,)),
        claims=[judge("rank", claim, trials)],
    )
    return folder


@pytest.fixture
def tab(browser: Any, site: Path) -> Iterator[Any]:
    """Fails the test on any complaint of the browser."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.root = site.as_uri()
    yield page
    page.close()
    assert said == []


def _open(tab: Any, name: str) -> Any:
    tab.goto("about:blank")
    tab.goto(f"{tab.root}/{name}")
    tab.wait_for_load_state("load")
    return tab


@pytest.mark.parametrize("third", range(3))
@pytest.mark.parametrize(("scheme", "width"), [("dark", 1280), ("light", 380)])
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_screen(tab, failed, scheme, width, third):
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 900})
    for name in (*PAGES, record_page(failed))[third::3]:
        _open(tab, name)
        tab.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        # Its own fetching of style sheets is what our policy forbids.
        options = {"preload": False, "resultTypes": ["violations"]}
        found = axe.Axe().run(tab, options=options).response["violations"]
        serious = [item for item in found if item["impact"] in ("serious", "critical")]
        assert not serious, (name, [(item["id"], item["nodes"][0]["html"][:200]) for item in serious])
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("name", ["index.html", "compare.html", "results.html#task=stsb"])
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(tab, name):
    _open(tab, name)
    wanted = tab.locator(f":is({CONTROLS})").locator("visible=true").count()
    tab.evaluate("window.met = new Set()")
    for _ in range(4 * wanted):
        tab.keyboard.press("Tab")
        seen = tab.evaluate(
            """() => {
              const node = document.activeElement;
              if (node === document.body) return null;
              met.add(node);
              const style = getComputedStyle(node), box = node.getBoundingClientRect();
              const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
              const shown = box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
              return [node.outerHTML.slice(0, 120), marked, shown];
            }"""
        )
        if seen is None:
            break
        assert seen[1:] == [True, True], seen[0]
    missed = tab.evaluate(
        """(controls) => Array.from(document.querySelectorAll(controls))
          .filter((node) => node.checkVisibility() && !node.disabled && node.tabIndex >= 0 && !met.has(node))
          .map((node) => node.outerHTML.slice(0, 120))""",
        CONTROLS,
    )
    assert wanted > 20
    assert missed == []


def test_what_limits_cost_is_said_with_the_verdict_and_leads_to_the_tasks(tab):
    _open(tab, "index.html")
    assert "What the limits cost" not in tab.locator("#answer").inner_text()
    first = tab.locator("#answer").get_attribute("data-pick")
    _open(tab, LIMITED)
    pick = tab.locator("#answer").get_attribute("data-pick")
    line = tab.locator("#answer p", has_text="What the limits cost: ")
    assert f" with {first}, the first without limits " in line.inner_text()
    data = json.loads(tab.locator("#evidence").text_content())[0]["parts"][0]
    labels = [one["label"] for one in data["candidates"]]
    scores = {one["label"]: one["score"][0] for one in data["candidates"]}
    assert f"{scores[pick]:.3g} in place of {scores[first]:.3g}" in line.inner_text()
    code = data["verdicts"][labels.index(first)][labels.index(pick)]
    assert {"w": "decided to be worse", "s": "decided to be as good"}.get(
        code, "not decided"
    ) in line.inner_text()
    line.locator("a").click()
    tab.wait_for_selector("#said .pick")
    assert tab.locator("#said .pick").inner_text().startswith(f"{pick} and {first}: ")


def test_methods_of_which_runs_learned_nothing_are_not_said_to_be_as_good(browser, tmp_path, make_study):
    records = make_study(seeds=3)
    last = max(records, key=lambda record: record.scores.report[record.task.main_metric])
    others = [record for record in records if record.spec["method"] != last.spec["method"]]
    spoilt = next(record for record in others if record.spec["seed"] == 2)
    floor = {name: value or 0.0 for name, value in spoilt.scores.majority.items()}
    scores = spoilt.scores.model_copy(update={"report": {**spoilt.scores.report, **floor}})
    records[records.index(spoilt)] = spoilt.model_copy(update={"scores": scores, "answers": None})
    build_site(records, tmp_path)
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    tab.goto((tmp_path / "index.html").as_uri())
    answer = tab.locator("#answer").inner_text()
    tab.close()
    named = f"{spoilt.spec['method']} (1 of 3)"
    _, _, after = answer.partition("o verdict on ")
    listed, said, _ = after.partition(", of whose runs some learned nothing")
    assert said, answer
    assert named in listed


def test_who_has_another_model_is_led_to_the_command_and_keeps_the_limits(tab):
    _open(tab, LIMITED)
    tab.locator("#answer button", has_text="ask for yours").click()
    assert tab.evaluate("document.activeElement === document.querySelector('#yours > summary')")
    told = tab.locator("#yours").inner_text()
    assert "paretune choose YOUR-MODEL" in told
    sizes = json.loads(tab.locator("#evidence").text_content())[0]["sizes"]
    assert f"--max-checkpoint 1MB --batch {sizes[0]} --length {sizes[1]}" in told
    assert tab.url.endswith("#max-checkpoint=1MB")


def test_a_jump_inside_the_page_keeps_the_view(tab):
    _open(tab, LIMITED)
    answer = tab.locator("#answer").inner_text()
    tab.locator(".skip").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("location.hash === '#content'")
    tab.wait_for_timeout(100)
    assert tab.locator("#answer").inner_text() == answer
    tab.go_back()
    tab.wait_for_function("location.hash === '#max-checkpoint=1MB'")
    assert tab.locator("#answer").inner_text() == answer


def test_as_good_is_said_of_the_one_of_which_it_was_shown(tab):
    _open(tab, "compare.html")
    part = json.loads(tab.locator("#pairs").text_content())["models"][0]["parts"][0]
    labels = part["labels"]
    found = next(line for line in part["verdicts"] if not line[5] and line[6] != line[7])
    pair = [labels[found[0]], labels[found[1]]]
    good, other = pair if found[6] else pair[::-1]
    for first, second in (pair, pair[::-1]):
        _open(tab, f"compare.html#compare={first},{second}")
        said = tab.locator("#said").inner_text()
        assert said.startswith(f"{first} and {second}: {good} is at least as good as {other}, over ")
    heads = tab.locator("#verdicts thead th").all_inner_texts()
    assert [head.split("\n")[0] for head in heads[:3]] == ["Task", "Verdict", "Difference"]
    assert "where both learned" in heads[2], "so that it is not taken for the difference of the two columns"


def test_tasks_are_named_with_their_verdicts_and_those_not_drawn(tab):
    _open(tab, "compare.html#compare=lora,full")
    rows = {
        row.locator("th a").inner_text(): row.locator("td").all_inner_texts()
        for row in tab.locator("#verdicts tbody tr:has(a)").all()
    }
    said = tab.locator("#said p", has_text="By task: ").inner_text().removeprefix("By task: ").rstrip(".")
    told = {
        task: verdict
        for verdict, tasks in (group.split(" on ", 1) for group in said.split("; "))
        for task in tasks.split(", ")
    }
    assert told == {task: cells[0].split(":")[0] for task, cells in rows.items()}
    left = [task for task, cells in rows.items() if cells[1] == "–"]
    assert left
    assert tab.locator("#pair-caption").inner_text().endswith(f"no seed learned with both: {', '.join(left)}")


def test_what_repeats_a_row_is_in_sight_and_says_the_same_after_a_click(tab):
    _open(tab, "results.html#task=stsb&method=lora")
    tab.on(
        "dialog", lambda dialog: dialog.dismiss()
    )  # where copying is not allowed, what would be copied is shown
    button = tab.locator("#board tbody button[data-copy]")
    box = button.bounding_box()
    assert box["x"] + box["width"] < 400
    name = button.inner_text()
    button.click()
    tab.wait_for_timeout(1700)
    assert button.inner_text() == name
    assert button.locator(".unseen").count() == 1
    assert "paretune run again.yaml" in button.get_attribute("data-copy")
    tab.locator("header a", has_text="How to cite").click()
    assert "sha256" in tab.locator("#cite-text").inner_text()


def test_captions_and_metrics_are_read_whole_on_a_phone(tab):
    tab.set_viewport_size({"width": 390, "height": 844})
    for name in ("latency.html", "serving.html", "results.html", "compare.html"):
        _open(tab, name)
        text = tab.locator("caption").first
        right = text.evaluate(
            """node => {
              const range = document.createRange();
              range.selectNodeContents(node);
              return range.getBoundingClientRect().right;
            }"""
        )
        assert right <= 390, name
    _open(tab, "tasks/index.html")
    assert "matthews correlation 0." in tab.locator("main").inner_text()


def test_names_in_a_crowd_do_not_lie_on_each_other(tab):
    _open(tab, "imported.html")
    tab.wait_for_selector("#figure svg.drawn")
    boxes = tab.locator("#figure svg.drawn text[font-weight]").or_(
        tab.locator("#figure svg.drawn g[font-size='13'] text")
    )
    known = {
        one["label"]
        for one in json.loads(tab.locator("#evidence").text_content())[0]["parts"][0]["candidates"]
    }
    found = [
        (text, box)
        for text, box in boxes.evaluate_all(
            "nodes => nodes.map((node) => [node.textContent, node.getBoundingClientRect().toJSON()])"
        )
        if text in known
    ]
    assert len(found) > 10
    for index, (text, one) in enumerate(found):
        for other_text, other in found[:index]:
            wide = min(one["right"], other["right"]) - max(one["left"], other["left"])
            high = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
            least = min(box["width"] * box["height"] for box in (one, other))
            assert max(wide, 0) * max(high, 0) < 0.4 * least, (text, other_text)


def test_one_seed_picks_nothing_and_says_what_to_run_next(browser, tmp_path):
    found = read_all([BOARDS / "rotten-tomatoes"])
    build_site(list(found.trials.values()), tmp_path, origins=found.origins)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto((tmp_path / "index.html").as_uri())
    page.wait_for_selector("#figure svg.drawn")
    answer = page.locator("#answer")
    assert answer.get_attribute("data-pick") == ""
    assert "Too few runs to pick one." in answer.inner_text()
    assert "That may be chance" in answer.inner_text()
    assert answer.locator("code").inner_text() == "paretune run rotten-tomatoes --seeds 3"
    assert page.locator("#figure .key").inner_text() == "too few runs to rank"
    page.close()
