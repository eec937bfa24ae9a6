"""The documents show what the published records give."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from scipy import stats

from reports import markdown_scores, markdown_table, read_latencies, read_records, read_servings, yaml_text
from reports.records.edges import edges
from reports.records.store import read_searches
from reports.stats.sections import sections
from reports.stats.standing import standing
from reports.tables.claims import claims_markdown
from runners.work import claims

from .pilot_scores import by_rate, mean

ROOT = Path(__file__).parents[1]


def test_the_documents_show_the_published_tables() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    board = ROOT / "reports" / "leaderboards"
    assert markdown_scores(read_records(board / "board-minilm-2")).strip() in readme
    before = (ROOT / "docs" / "superseded.md").read_text(encoding="utf-8")
    assert markdown_scores(read_records(board / "board-minilm")).strip() in before
    assert markdown_table(read_records(board / "rotten-tomatoes")).strip() in before
    tuned = read_records([board / "tuned-reviews", board / "tuned-glue"])
    assert markdown_scores(tuned).strip() in before


@pytest.mark.parametrize(("board", "lost", "of"), [("tuned-glue", 41, 108), ("tuned-reviews", 19, 54)])
def test_boards_are_superseded_for_what_their_records_show(board: str, lost: int, of: int) -> None:
    folder = ROOT / "reports" / "leaderboards" / board
    risks = [row.risk for section in sections(read_records(folder)) for row in section.rows]
    assert (sum(risk.lost or 0 for risk in risks), sum(risk.seeds for risk in risks)) == (lost, of)
    manifest = yaml_text.load((ROOT / "reports" / "origins.yaml").read_text(encoding="utf-8"))
    assert manifest["superseded"][board]["why"].startswith(f"{lost} of its {of} runs learned nothing")


@pytest.mark.parametrize(
    ("page", "board"), [("README.md", "board-minilm-2"), ("docs/superseded.md", "board-minilm")]
)
def test_a_page_counts_the_decided_pairs_of_its_table(page: str, board: str) -> None:
    found = sections(read_records(ROOT / "reports" / "leaderboards" / board))
    decided = {}
    for name, group in {**{one.task: [one] for one in found}, "all": found}.items():
        known = standing(group)
        assert known is not None
        decided[name] = sum(bool(one.sign or one.as_good) for one in known.verdicts)
    told = (
        "Of the 36 pairs {banking77} are decided on banking77, {rotten_tomatoes} on rotten_tomatoes, "
        "{sst2} on SST-2, {stsb} on STS-B and {all} over all four"
    )
    assert told.format(**decided) in " ".join((ROOT / page).read_text(encoding="utf-8").split())


def test_the_documents_have_the_verdicts_of_the_board_of_mpnet() -> None:
    (section,) = sections(read_records(ROOT / "reports" / "leaderboards" / "board-mpnet"))
    known = standing([section])
    assert known is not None
    assert all(one.sign or one.as_good for one in known.verdicts)
    assert len(known.verdicts) == 6
    told = {}
    for row in section.rows:
        ends = row.score.interval
        assert ends is not None
        told[row.label] = f"{row.score.mean:.3f} ({ends.low:.3f} to {ends.high:.3f})"
    behind = {}
    for one in known.verdicts:
        assert one.difference is not None
        ends = one.difference.interval
        assert ends is not None
        low = f"{ends.low:.3f}".replace("-", "\N{MINUS SIGN}")
        behind[one.first, one.second] = f"({low} to {ends.high:.3f})"
    protocol, readme, practice = (
        " ".join((ROOT / page).read_text(encoding="utf-8").split())
        for page in ("docs/protocol.md", "README.md", "docs/practice.md")
    )
    every, two = "lora (target=query+key+value+output+up+down)", "lora (target=query+value)"
    assert all(score in protocol for score in told.values())
    assert f"LoRA on every linear layer scores {told[every]}" in readme
    assert f"(0.0019 more, {behind['full', every].strip('()')})" in practice
    assert f"0.021 {behind['full', two]} behind" in practice
    assert (
        f"0.021 {behind['full', two]} behind `full` and 0.019 {behind[every, two]} behind itself" in protocol
    )


def test_the_protocol_has_what_the_search_of_the_second_board_lost() -> None:
    searched = by_rate(read_searches(ROOT / "reports" / "leaderboards" / "board-minilm-2"))
    lost = {}
    for folder in sorted((ROOT / "reports" / "pilot").glob("stopped-*")):
        for row, rates in by_rate(read_records(folder)).items():
            best = max(one for one in map(mean, searched[row].values()) if one == one)  # not NaN
            for rate, records in rates.items():
                assert {record.spec["seed"] for record in records} == {2000, 2001}
                lost[(*row, rate)] = round(mean(records), 3), round(best, 3)
    told = " ".join((ROOT / "docs" / "protocol.md").read_text(encoding="utf-8").split())
    full = {task: found for (task, method, _), found in lost.items() if method == "full"}
    kept, best_kept = zip(*(full[task] for task in ("rotten_tomatoes", "sst2", "stsb")), strict=True)
    assert f"at 0.001 it has {kept[0]:.3f}, {kept[1]:.3f} and {kept[2]:.3f} on the three" in told
    assert f"has {best_kept[0]:.3f}, {best_kept[1]:.3f} and {best_kept[2]:.3f}" in told
    assert [row for row, (whole, best) in lost.items() if whole > best + 0.01] == [("stsb", "prompt", 0.03)]


def test_the_documents_say_what_claim_16_hangs_on() -> None:
    selected: dict[tuple[int, float], list[float]] = {}
    scores: dict[tuple[int, float], dict[int, float]] = {}
    for record in read_records(ROOT / "reports" / "leaderboards" / "claim-lora-rank"):
        assert record.scores is not None
        spec = record.spec
        setting = spec["options"].get("rank", 0), spec["protocol"]["learning_rate"]
        selected.setdefault(setting, []).append(record.scores.selection["accuracy"])
        scores.setdefault(setting, {})[spec["seed"]] = record.scores.report["accuracy"] or 0.0
    low, high, full = (384, 3e-05), (384, 0.0001), scores[0, 0.0001]
    means = {setting: sum(found.values()) / len(found) for setting, found in scores.items()}
    differences = [full[seed] - score for seed, score in scores[high].items()]
    ahead = stats.ttest_1samp(differences, 0).confidence_interval()
    told = " ".join((ROOT / "docs" / "claims.md").read_text(encoding="utf-8").split())
    chosen, other = (sum(selected[one]) / len(selected[one]) for one in (low, high))
    assert f"with {chosen:.3f} there beside {other:.3f} at 0.0001" in told
    assert (
        f"they have {means[low]:.3f} and {means[high]:.3f}, and full fine-tuning {means[0, 0.0001]:.3f}"
        in told
    )
    bounds = f"({ahead.low:.3f} to {ahead.high:.3f})".replace("-", "\N{MINUS SIGN}")
    assert f"{sum(differences) / len(differences):.3f} ahead {bounds}" in told
    assert f"rank 8 has {means[8, 0.001]:.3f}, and neither 64 ({means[64, 0.0003]:.3f}) nor 384" in told
    assert max(means[64, 0.0003], means[high]) <= means[8, 0.001] + 0.001


def test_the_readme_counts_the_rates_at_an_end_of_what_was_searched() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    records = read_records(ROOT / "reports" / "leaderboards" / "board-minilm-2")
    tuned = {record.spec["method"]: record.tuning for record in records if record.spec["task"] == "banking77"}
    ends = {method: edges(one.space, one.chosen) for method, one in tuned.items() if one is not None}
    assert len(ends) == 9
    assert [method for method, end in ends.items() if end != {"learning_rate": "highest"}] == ["lora"]
    assert "there eight of nine methods took the highest rate that was tried" in readme


def _failed(*folders: str) -> tuple[int, int]:
    """Runs that do not get half way from a constant answer to the best run of their setting, and all."""
    settings: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for folder in folders:
        for record in read_records(ROOT / "reports" / folder):
            assert record.task is not None
            assert record.scores is not None
            metric = record.task.main_metric
            score = record.scores.selection[metric]
            assert score is not None
            key = folder, record.spec["task"], record.spec["method"]
            settings.setdefault(key, []).append((score, record.scores.majority[metric] or 0.0))
    lost = [
        2 * score < constant + max(score for score, _ in runs)
        for runs in settings.values()
        for score, constant in runs
    ]
    return sum(lost), len(lost)


def test_the_ten_sentences_count_the_runs_that_failed_at_a_rate_and_at_a_third_of_it(tmp_path: Path) -> None:
    pilot = ROOT / "reports" / "pilot"
    chosen = [("stsb", "lin"), ("stsb", "houlsby"), ("rotten_tomatoes", "lora"), ("sst2", "houlsby")]
    board = ROOT / "reports" / "leaderboards" / "board-minilm"
    for task, method in chosen:
        for file in board.glob(f"{task}--{method}--*.json"):
            shutil.copy(file, tmp_path)
    high = _failed(str(tmp_path))
    low = _failed(*(str(folder) for folder in sorted(pilot.glob("third-*"))))
    warm = _failed(*(str(folder) for folder in sorted(pilot.glob("warmup-*"))))
    page = " ".join((ROOT / "docs" / "practice.md").read_text(encoding="utf-8").split())
    assert (
        f"failed in {high[0]} of {high[1]} runs, and at a third of their rates in {low[0]} of {low[1]}"
        in page
    )
    assert f"did not help, {warm[0]} of {warm[1]} failed" in page
    table = [[high[0], high[1] - high[0]], [low[0], low[1] - low[0]]]
    assert f"p = {stats.fisher_exact(table).pvalue:.5f}" in page


def test_the_documents_show_the_published_verdicts() -> None:
    board = ROOT / "reports" / "leaderboards"
    servings = read_servings(board)
    judged = claims.sort_out(read_records(board), read_latencies(board), {}, servings).judgements
    assert claims_markdown(judged).strip() in (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
