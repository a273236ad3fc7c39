"""A warehouse that is wrong, hostile or too large: refused as a whole, and nothing is written."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions.errors import ActionError, BadRecommendation, NotPublished
from actions.publication import MOST_ROWS, read_publication
from tests.actions.conftest import HELD, Desk, credit, offer, recommendation
from tests.actions.fault_server import CUSTOMER, SUBSCRIPTION

PARAMS = {"amount": -1200, "currency": "usd", "customer": CUSTOMER, "description": "x"}


@pytest.fixture
def desk(memory_desk: Desk) -> Desk:
    return memory_desk


def changed(desk: Desk, *statements: str) -> None:
    with duckdb.connect(str(desk.settings.published)) as db:
        for statement in statements:
            db.execute(statement)


def test_ten_thousand_recommendations_are_read_and_one_more_is_a_fault(desk: Desk) -> None:
    desk.publish(credit())
    copies = "insert into marts.recommendations select r.* replace (i::varchar as recommendation_id) from"
    changed(desk, f"{copies} marts.recommendations as r, range({MOST_ROWS - 1}) as n(i)")
    assert len(read_publication(desk.settings.published, desk.clock).recommendations) == MOST_ROWS
    changed(desk, f"{copies} marts.recommendations as r, range(1) as n(i) limit 1")
    with pytest.raises(BadRecommendation, match="over 10000"):
        read_publication(desk.settings.published, desk.clock)


@pytest.mark.parametrize(
    "row",
    [
        credit(params=json.dumps(PARAMS | {"description": "x" * 70_000})),
        credit(params=json.dumps(PARAMS | {"amount": float("nan")})),
        credit(params=json.dumps(PARAMS | {"amount": float("-inf")})),
        credit(params='{"amount": -1e3, "currency": "usd", "customer": "cus_1", "description": "x"}'),
        credit(params="[" * 100_000), credit(params="[]"), credit(params="null"), credit(precondition="[]"),
        credit(precondition="7"), credit(precondition=json.dumps(HELD | {"note": "y" * 70_000})),
        credit(precondition=json.dumps(HELD | {"livemode": 0.5})), credit(amount_minor=1201),
        credit(params=json.dumps(PARAMS | {"currency": "eur"})), credit(currency="eur"),
        credit(params=json.dumps(PARAMS | {"customer": "cus_2"})), credit(livemode=None), credit(customer_id=None),
        credit(recommendation_id=None), credit(recommendation_id="h1:\x1b[2J"),
        recommendation("metadata_change", {"metadata": {"k": "v" * 501}, "customer": CUSTOMER}, HELD, amount_minor=0),
        offer(precondition=json.dumps(HELD | {"subscription": SUBSCRIPTION, "items": [None]})),  # cannot be shown
    ],
)  # fmt: skip
def test_one_bad_row_stops_the_whole_plan_and_nothing_is_written(desk: Desk, row: dict[str, Any]) -> None:
    desk.publish(credit(), row)
    with pytest.raises(BadRecommendation):
        desk.plan()
    assert desk.kinds() == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"amount_minor": None}, "its amount_minor is not known"),
        ({"amount_minor": -5}, "its amount_minor is not known"),
        ({"currency": "xxx"}, "its currency is not known"), ({"currency": None}, "its currency is not known"),
        ({"kind": None}, "no rule allows a thing like this"), ({"is_held_back": None}, "held back as a control group"),
    ],
)  # fmt: skip
def test_what_is_missing_for_policy_is_left_with_the_reason(desk: Desk, more: dict[str, Any], why: str) -> None:
    desk.publish(credit(), credit(**more))
    assert desk.plan().left == {why: 1}
    assert desk.kinds() == ["planned"]


odd = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.sampled_from(["{}", "[]", '{"amount": NaN}', "\x1b[2J", "‮", "'); DROP TABLE event;--", "h1:"]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["recommendation_id", "account_id", "kind", "customer_id", "customer_tier", "subscription_id",
                         "source_event_id", "currency", "params", "precondition", "evidence", "reason"]),
        odd, min_size=1, max_size=3,
    )
)  # fmt: skip
def test_whatever_a_row_holds_it_is_planned_left_or_refused_with_a_sentence(
    desk: Desk, odd_columns: dict[str, Any]
) -> None:
    desk.publish(credit(recommendation_id=f"h1:{'a' * 32}") | odd_columns)
    with contextlib.suppress(ActionError):
        report = desk.plan()
        assert len(report.new) + sum(report.left.values()) == 1
    desk.kinds()  # whatever was written, the chain holds


def test_a_publication_reaches_no_other_file_and_lacks_no_column(desk: Desk) -> None:
    desk.publish(credit())
    outside = desk.settings.data / "outside.csv"
    outside.write_text("run_id\nother\n")
    changed(
        desk,
        "create table kept as from meta.publication",
        "drop table meta.publication",
        f"create view meta.publication as select * replace (o.run_id as run_id) from kept, '{outside}' as o",
    )
    with pytest.raises(NotPublished):
        read_publication(desk.settings.published, desk.clock)
    desk.publish(credit())
    changed(desk, "alter table marts.recommendations drop column risk_score")
    with pytest.raises(NotPublished, match="make run"):
        read_publication(desk.settings.published, desk.clock)
    desk.publish(credit())
    changed(desk, "delete from meta.publication")
    with pytest.raises(NotPublished, match="never published completely"):
        read_publication(desk.settings.published, desk.clock)
