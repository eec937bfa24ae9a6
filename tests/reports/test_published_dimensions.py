from __future__ import annotations

from reports.published_dimensions import published


def test_published_values() -> None:
    found = {(row.model, row.method): row.dimension for row in published("mrpc")}
    assert found["bert-base", "said"] == 1608
    assert found["roberta-large", "said"] == 207
    assert published("rotten_tomatoes") == []
