"""The published copy of a whole run names nobody, and the screen that the run ends with does."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.published import values_with


def test_no_customers_name_or_mail_is_in_the_copy_though_the_summary_has_them(first_run: tuple[Path, str]) -> None:
    data, printed = first_run
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as warehouse:
        people = warehouse.execute("select name, email from staging.stg_stripe__customers").fetchall()
    texts = [text for person in people for text in person if text]
    assert len(texts) > 60
    assert values_with(data / "published" / "warehouse.duckdb", *texts) == {}
    assert any(name in printed for name, _ in people)
    assert "customer …" not in printed
