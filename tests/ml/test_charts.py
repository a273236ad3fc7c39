"""Pictures of a finished run: they are made, have something on them, and say what they are of."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from PIL import Image

from ml import chart_pages, chart_revenue, charts
from ml.chart_pages import Fan, UsagePage
from ml.errors import NothingToDraw, UnknownCustomer
from ml.settings import Settings
from tests.ml.conftest import Cli


@pytest.fixture
def drawing(first_run: tuple[Path, str], tmp_path: Path) -> Settings:
    """The small company's warehouse, with an empty folder for the pictures."""
    return Settings(tmp_path, "", threads=1, destination=first_run[0] / "warehouse.duckdb")


def ask(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


def share_of(picture: Path, color: tuple[int, int, int]) -> float:
    """Share of a picture's pixels that have exactly this color."""
    return float((np.asarray(Image.open(picture)) == color).all(axis=2).mean())


def rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def test_every_customer_with_a_forecast_has_a_page_and_the_company_has_one(drawing: Settings) -> None:
    account = drawing.data / "charts" / str(ask(drawing, "select account_id from marts.dim_customers limit 1")[0][0])
    account.mkdir(parents=True)
    (account / "cus_gone.png").write_bytes(b"of an earlier run")
    said: list[str] = []
    charts.run(drawing, None, False, said.append)

    items: dict[str, int] = dict(
        ask(
            drawing,
            "select customer_id, count(distinct subscription_item_id) from marts.usage_forecast"
            " where is_current group by all",
        )
    )
    assert {path.stem for path in account.iterdir()} == {*items, "revenue"}
    assert said == [f"{len(items) + 1} pictures in {drawing.data / 'charts'}"]
    heights = {}
    for customer, rows in items.items():
        picture = account / f"{customer}.png"
        heights[Image.open(picture).size] = rows
        assert share_of(picture, rgb(chart_pages.BAND80)) > 0.01
        assert share_of(picture, (255, 255, 255)) > 0.5
    assert share_of(account / "revenue.png", rgb(chart_revenue.PARTS["existing_book_minor"][1])) > 0.01
    assert share_of(account / "revenue.png", rgb(chart_pages.BAND80)) > 0.001
    inches = chart_pages.HEAD + chart_pages.FOOT
    assert heights == {(840, round(100 * (inches + chart_pages.ROW * rows))): rows for rows in set(items.values())}


def test_one_customer_can_be_asked_for_and_no_other_picture_is_touched(drawing: Settings, cli: Cli) -> None:
    [(account, customer)] = ask(
        drawing, "select account_id, min(customer_id) from marts.usage_forecast where is_current group by all"
    )
    (drawing.data / "warehouse.duckdb").symlink_to(drawing.warehouse)
    older = drawing.data / "charts" / str(account) / "cus_older.png"
    older.parent.mkdir(parents=True)
    older.write_bytes(b"older")
    code, out, _ = cli(drawing, "charts", "--customer", str(customer))
    assert (code, out) == (0, f"1 picture in {drawing.data / 'charts'}\n")
    assert {path.name for path in older.parent.iterdir()} == {older.name, f"{customer}.png"}


def test_a_customer_without_a_forecast_says_so(drawing: Settings) -> None:
    [(gone,), *_] = ask(
        drawing,
        "select customer_id from marts.dim_customers"
        " where customer_id not in (select customer_id from marts.usage_forecast where is_current) order by 1",
    )
    with pytest.raises(NothingToDraw, match=f"{gone} has no current forecast") as refused:
        charts.run(drawing, str(gone), False, lambda _: None)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("asked", ["cus_nobody", "../../etc/passwd", ""])
def test_an_id_that_is_no_customer_is_refused(drawing: Settings, asked: str) -> None:
    with pytest.raises(UnknownCustomer, match="no customer"):
        charts.run(drawing, asked, False, lambda _: None)
    assert not (drawing.data / "charts").exists()


def test_a_large_company_has_its_largest_customers_drawn(drawing: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "MOST", 5)
    monkeypatch.setattr(charts, "LARGEST", 3)
    said: list[str] = []
    charts.run(drawing, None, False, said.append)
    assert "the 3 largest of" in said[0]
    drawn = {path.stem for path in drawing.data.glob("charts/*/cus_*.png")}
    largest = ask(
        drawing,
        "select customer_id from marts.fct_mrr_monthly"
        " where month_start = (select max(month_start) from marts.fct_mrr_monthly)"
        " and customer_id in (select customer_id from marts.usage_forecast where is_current)"
        " group by all order by sum(reporting_mrr_minor) desc limit 3",
    )
    assert drawn == {customer for (customer,) in largest}


def test_a_page_drawn_after_another_shows_nothing_of_it() -> None:
    def fan(level: float) -> Fan:
        ahead = np.full(90, level)
        return Fan(f"calls of {level}", np.full(120, level), ahead, ahead * 0.2, ahead * 0.5, ahead * 2, ahead * 4)

    page = UsagePage(1, date(2026, 10, 31), 120, 90)
    first = np.asarray(page.draw("cus_a", "A sentence.", [fan(5.0)]))
    page.draw("cus_of_another", "Another sentence, which is longer.", [fan(70_000.0)])
    assert np.array_equal(first, np.asarray(page.draw("cus_a", "A sentence.", [fan(5.0)])))


@pytest.mark.parametrize(
    ("history", "ahead"), [(np.zeros(120), np.zeros(90)), (np.full(120, np.nan), np.full(90, 1e12))]
)
def test_a_series_of_zeros_and_one_without_history_are_drawn(
    history: chart_pages.Floats, ahead: chart_pages.Floats
) -> None:
    page = UsagePage(1, date(2026, 2, 28), 120, 90)
    picture = page.draw("cus_a", "", [Fan("calls", history, ahead, ahead, ahead, ahead, ahead)])
    assert np.asarray(picture).min() < 60


@pytest.mark.parametrize(
    ("value", "exponent", "text"),
    [
        (0, 0, "0"),
        (1500, 0, "1.5k"),
        (250_000, 2, "2.5k"),
        (250_000, 0, "250k"),
        (-120_000_000, 2, "-1.2M"),
        (0.3, 0, "0.3"),
    ],
)
def test_a_mark_is_short_and_money_is_shown_in_its_currency(value: float, exponent: int, text: str) -> None:
    assert chart_pages.shown(value, exponent) == text


@pytest.mark.parametrize(
    ("amount", "currency", "exponent", "text"),
    [
        (123_450, "eur", 2, "EUR 1,234.50"),
        (1235, "jpy", 0, "JPY 1,235"),
        (-5, "usd", 2, "USD -0.05"),
        (1, "kwd", 3, "KWD 0.001"),
    ],
)
def test_an_amount_is_written_by_moving_its_decimals(amount: int, currency: str, exponent: int, text: str) -> None:
    assert chart_pages.money(amount, currency, exponent) == text


def test_the_marks_of_an_axis_are_round_and_hold_what_is_shown() -> None:
    for least in (0.0003, 1, 1.01, 7.9, 8.1, 123_456):
        step = chart_pages.nice_step(least)
        assert least <= step <= 1.6 * least


def test_months_are_named_where_they_begin() -> None:
    days, names = chart_pages.month_starts(date(2026, 10, 31), 40, 90)
    assert [date(2026, 10, 31) + timedelta(days=day) for day in days] == [
        date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1),
    ]  # fmt: skip
    assert names == ["1 Oct 2026", "1 Nov", "1 Dec", "1 Jan 2027"]
