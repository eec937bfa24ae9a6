"""Rows of trials that write: their times, their cache and what they forgot, in every table and page."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports import build_site, compare, csv_table, markdown_table, trials
from reports.records.checks import record_faults
from reports.records.consistency import arithmetic_faults
from reports.stats.forgetting import forgotten
from reports.tables.latex import latex_table

from ..sound import as_record, sound, spoiled
from ..written import writes

SPOILED = [
    ("decoding.next_token.unmerged.ratio", 9.0, "$.decoding.next_token.unmerged.ratio is 9, outside"),
    (
        "decoding.first_token.control.latency_ms_p95",
        1.0,
        "$.decoding.first_token.control.latency_ms_p95 is 1",
    ),
    ("decoding.tokens_per_second", 1.0, "$.decoding.tokens_per_second is 1, but the median times give"),
    ("decoding.merged_tokens_per_second", None, "$.decoding has times of a merged model in one part"),
    ("forgetting.after", 30.0, "$.forgetting.ratio is 1.1, but after / before is 1.5"),
    ("forgetting.tokens", None, "$.forgetting.tokens are those that a perplexity is of"),
    ("forgetting.before", 0.5, "$.forgetting.before is 0.5, which no perplexity is"),
    ("forgetting.ratio_high", 1.0, "$.forgetting.ratio is 1.1, outside its interval"),
    ("spec.protocol.generation", None, "$.decoding is there, but $.spec says nothing of a model that writes"),
    ("gaps", {"decoding": "no room"}, "$.gaps.decoding says that it could not be measured, but"),
]


def test_a_sound_record_has_no_fault_and_may_have_its_costs_elsewhere(make_record):
    data = sound(writes(make_record()))
    assert [*record_faults(as_record(data)), *arithmetic_faults(as_record(data))] == []
    data |= {"costs_from": "ab" * 32, "decoding": None}
    assert (
        list(arithmetic_faults(as_record(data | {"gaps": {"forgetting": "no weights"}, "forgetting": None})))
        == []
    )
    (fault,) = arithmetic_faults(as_record(data | {"gaps": {"decoding": "no room"}}))
    assert fault.startswith("$.costs_from names another trial's record")


@pytest.mark.parametrize(("path", "value", "message"), SPOILED)
def test_one_spoiled_value_is_one_sentence(make_record, path, value, message):
    faults = list(arithmetic_faults(as_record(spoiled(sound(writes(make_record())), path, value))))
    assert [fault for fault in faults if fault.startswith(message)], faults


def test_both_latencies_are_one_too_many(make_record):
    record = make_record()
    both = sound(writes(record)) | {"latency": record.model_dump(mode="json")["latency"]}
    assert "$.decoding is there, and so is $.latency: a trial has one of them" in list(
        arithmetic_faults(as_record(both))
    )


def test_tables_have_times_of_tokens(make_record):
    records = [writes(make_record()), writes(make_record("prompt", score=0.7), 1.5, None, None)]
    frame = compare(records).set_index("method")
    assert frame.loc["lora", "next_token_ratio"] == pytest.approx(1.25)
    assert frame.loc["lora", "merged_first_token_ratio"] == pytest.approx(1.0)
    assert frame.loc["lora", "cache_bytes"] == 1_400_000
    assert frame["cache_bytes"].dtype == "Int64"
    assert pd.isna(frame.loc["prompt", "merged_next_token_ratio"])
    assert pd.isna(frame.loc["prompt", "forgetting_ratio"])
    assert frame.loc["lora", "forgetting_ratio_low"] == pytest.approx(1.1 * 0.98)
    assert "tokens_per_second" in csv_table(records).splitlines()[0]
    one = trials(records).iloc[0]
    assert (one["next_token_unmerged_ratio"], one["forgetting_before"], one["front_bytes"]) == (
        1.25,
        20,
        20_000,
    )
    said = markdown_table(records)
    assert (
        "| First token | Next token | Next token, merged | Cache | Checkpoint | Perplexity of other text |"
        in said
    )
    assert "×1.25" in said
    assert "1.40 MB" in said
    assert "Latency, unmerged" not in said
    assert "each token behind the first" in latex_table(records)


def test_tables_without_such_rows_are_as_they_were(make_record):
    assert "Next token" not in markdown_table([make_record()])
    assert "each token behind" not in latex_table([make_record()])
    assert "Latency, unmerged" in markdown_table([writes(make_record()), make_record(task="imdb")])


def test_forgetting_goes_over_seeds_and_texts(make_record):
    parts = [
        writes(make_record(seed=seed), forgot=ratio).forgetting for seed, ratio in enumerate((1.1, 1.2, 1.3))
    ]
    logs = np.log([1.1, 1.2, 1.3])
    found = forgotten(parts).ratio
    assert found.value == pytest.approx(math.exp(logs.mean()))
    seeds = stats.t.ppf(0.975, 2) * logs.std(ddof=1) / math.sqrt(3)
    assert math.log(found.high / found.value) == pytest.approx(math.hypot(seeds, math.log(1.03)))
    assert math.log(found.value / found.low) == pytest.approx(math.hypot(seeds, math.log(1 / 0.98)))
    one = forgotten(parts[:1]).ratio
    assert (one.low, one.high, one.seeds) == (pytest.approx(1.1 * 0.98), pytest.approx(1.1 * 1.03), 1)
    other = parts[1].model_copy(update={"text_sha256": "ef" * 32})
    assert forgotten([parts[0], other]).ratio.value == pytest.approx(1.1)
    assert forgotten([]) is None


def test_pages_show_them(make_record, tmp_path):
    record = writes(make_record())
    build_site([record, writes(make_record("prompt", score=0.7), 1.5, None, None)], tmp_path)
    page = (tmp_path / "tasks" / "rotten_tomatoes.html").read_text()
    for told in (
        "Writing a text, batch 1",
        "Perplexity of other text",
        "1.40 MB",
        "16 tokens behind 32",
        "×1.25",
    ):
        assert told in page, told
    (trial,) = (
        page
        for page in (path.read_text() for path in (tmp_path / "records").glob("*.html"))
        if "perplexity" in page
    )
    assert "next token, unmerged, ratio" in trial
    assert "cache bytes" in trial
