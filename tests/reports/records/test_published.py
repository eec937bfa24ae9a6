from __future__ import annotations

from reports.records.published import dimensions_on


def test_published_values() -> None:
    found = {(row.model, row.method): row.dimension for row in dimensions_on("mrpc")}
    assert found["bert-base", "said"] == 1608
    assert found["roberta-large", "said"] == 207
    assert dimensions_on("rotten_tomatoes") == []
