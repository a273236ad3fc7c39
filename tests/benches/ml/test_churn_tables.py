"""The bench's as-of table of a purchase log: nothing from the origin on is in it, and no label reaches a test."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from tests.benches.ml import churn

LOG = pd.DataFrame(
    [
        (1, "1997-01-02", 1, 10.0),
        (1, "1997-03-31", 2, 30.0),
        (1, "1997-06-29", 1, 5.0),
        (2, "1997-01-05", 1, 20.0),
        (2, "1997-06-30", 1, 20.0),
        (3, "1997-04-01", 4, 44.0),
    ],
    columns=["Id", "Date", "CDs", "Price"],
).assign(Date=lambda rows: pd.to_datetime(rows["Date"]))


def test_a_row_knows_only_what_was_before_its_origin_and_every_id_has_one() -> None:
    rows = churn.as_of(LOG, date(1997, 4, 1)).set_index("row")
    assert rows.index.tolist() == ["1@1997-04-01", "2@1997-04-01", "3@1997-04-01"]
    first = rows.loc["1@1997-04-01"]
    assert (first["recency_days"], first["tenure_days"], first["orders"], first["spent"]) == (1, 89, 2, 40.0)
    assert (first["orders_30d"], first["discs"], first["last_order"]) == (1, 3, 30.0)
    assert rows.loc["3@1997-04-01", "orders"] == 0
    # the 90 days are 04-01 to 06-29: id 1 buys on their last day, id 2 a day later
    assert rows["has_left"].tolist() == [0, 1, 0]
    later = LOG.assign(Price=LOG["Price"].where(LOG["Date"] < "1997-04-01", 1e9))
    pd.testing.assert_frame_equal(churn.as_of(later, date(1997, 4, 1)).set_index("row"), rows)


def test_labels_that_reach_the_first_test_day_are_refused() -> None:
    churn.assert_gap(churn.LEARNED, churn.ASKED)
    with pytest.raises(ValueError, match="end on 1997-08-30, after the first day that is predicted, 1997-08-01"):
        churn.assert_gap((*churn.LEARNED, date(1997, 6, 1)), churn.ASKED)
