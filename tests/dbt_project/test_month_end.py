"""Every query of docs/month-end.md answers, and says what the page says of it."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from tests.commands import ROOT

PAGE = ROOT / "docs" / "month-end.md"


def test_each_query_of_the_page_answers(modelled_company: Path) -> None:
    queries = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with duckdb.connect(str(modelled_company / "warehouse.duckdb"), read_only=True) as con:
        answers = {query: con.execute(query).fetchall() for query in queries}

    assert len(answers) >= 10
    # a sound company may have no leak and nobody who owes it
    may_be_empty = ("data_quality", "revenue_leakage", "fct_receivables_ageing", "usage_drivers")
    assert [
        query for query, rows in answers.items() if not rows and not any(name in query for name in may_be_empty)
    ] == []
