"""Whatever happens on the way from Stripe, a load ends well, holds what Stripe holds, and counts what it met."""

from pathlib import Path

import pytest

from dlt_pipelines.errors import StripeUnreachable
from sandbox import objects
from sandbox.faults import Rule
from sandbox.store import Store
from tests.dlt_pipelines.changes import CHANGES, IS_UNTOLD, UNTOLD, Changer
from tests.dlt_pipelines.proof import Proof, proving
from tests.dlt_pipelines.stripe_bytes import rows

REFUSED = ("429", "500_before", "500_after", "drop_before", "drop_after")
DAYS = 86_400


def storm(probability: float) -> list[Rule]:
    """Rules by which every GET is refused with that probability, and some answers are cut, not JSON, late or misdated.

    The loader gives up on an answer that is broken four times in a row, so no path is broken more than three times.
    """
    broken = [
        Rule(match=f"GET /v1/{path}", kind=kind, times=times, probability=0.3)
        for path in ("customers", "invoices", "events", "subscriptions", "billing/*", "p*")
        for kind, times in (("truncated", 2), ("not_json", 1))
    ]
    refused = [Rule(match="GET /v1/*", kind=kind, times=0, probability=probability / len(REFUSED)) for kind in REFUSED]
    misdated = [  # but for the account's answer, by whose Date the clock is set
        Rule(match="GET /v1/[!a]*", kind="skewed_date", times=0, probability=0.03, seconds=off)
        for off in (3 * DAYS, -3 * DAYS)
    ]
    stalled = Rule(match="GET /v1/*", kind="stall", times=3, probability=0.1, seconds=0.3)
    return [*broken, *refused, *misdated, stalled]


def met(proof: Proof, *kinds: str) -> int:
    """How many requests ran into faults of these kinds."""
    return sum(rule.fired for rule in proof.served.faults.rules if rule.kind in kinds)


def reported(data: Path, what: str) -> int:
    """A sum over the last load's report."""
    last = "where run_id = (select max(run_id) from raw_stripe.load_report)"
    [(count,)] = rows(data, f"select sum({what}) from raw_stripe.load_report {last}")
    return int(count)


def test_a_first_load_through_a_storm_holds_what_stripe_holds(furnished: Path, tmp_path: Path) -> None:
    with proving(furnished, tmp_path / "data") as proof:
        once = Rule(match="GET /v1/account", kind="skewed_date", seconds=3 * DAYS)
        proof.served.rules(once, *storm(0.3), seed=1)
        proof.load()

        assert proof.differences() == []
        asked_again = met(proof, *REFUSED, "truncated", "not_json")
        assert asked_again > 20
        # a connection that was broken may be found so by the request after
        broken = met(proof, "drop_before", "drop_after", "truncated")
        assert asked_again <= reported(proof.data, "retries") <= asked_again + broken
        problems = dict(
            rows(proof.data, "select problem, sum(occurrences)::int from raw_stripe.load_problems group by all")
        )
        assert problems["truncated_body"] == met(proof, "truncated") > 0
        assert problems["not_json"] == met(proof, "not_json") > 0
        assert problems["skewed_clock"] > 1
        now = proof.served.within(lambda store: store.account_now)
        assert rows(proof.data, "select distinct epoch(loaded_at)::bigint from raw_stripe.customers") == [(now,)]


def test_changes_are_caught_through_a_storm(proof: Proof) -> None:
    changer, told = Changer(proof.served), [name for name in CHANGES if name not in UNTOLD]
    for number in range(0, 90 * 611, 611):
        changer.make(told[number % len(told)], number)
    proof.served.rules(*storm(0.3), seed=3)

    proof.load()

    assert met(proof, *REFUSED) > 10
    assert [line for line in proof.differences() if not IS_UNTOLD.match(line)] == []


def test_nothing_but_refusals_ends_a_load_in_one_sentence_and_the_next_goes_on(proof: Proof) -> None:
    before = rows(proof.data, "select count(*), max(run_id) from raw_stripe.load_report")
    Changer(proof.served).make("customer made", 1)
    proof.served.rules(Rule(match="GET /v1/customers*", kind="500_before", times=0))
    with pytest.raises(StripeUnreachable, match="run the load again"):
        proof.load()
    assert rows(proof.data, "select count(*), max(run_id) from raw_stripe.load_report") == before

    proof.served.rules()
    proof.load()
    assert proof.differences() == []


@pytest.mark.parametrize("minutes", [50, 20 * 60])
def test_an_event_that_appears_long_after_its_time_is_not_missed(proof: Proof, minutes: int) -> None:
    """Within the overlap of the events' cursor the next load sees it, within a day the daily re-read."""
    served = proof.served
    customer = served.v1.customers.list({"limit": 1}).data[0].id
    served.v1.products.create({"name": "Later"})
    proof.load()  # the cursor is past the event that comes now

    def change(store: Store) -> None:
        objects.update(store, store.get("customer", customer), name="Changed unseen")
        store.flush()
        late = (store.now - 60 * minutes, store.now - 60 * minutes)
        newest = "select id from object where kind = 'event' order by seq desc limit 1"
        store.db.execute(
            f"update object set created = ?, json = json_set(json, '$.created', ?) where id = ({newest})", late
        )

    served.within(change)
    if minutes > 60:
        served.advance(1.01)
    proof.load()

    assert proof.differences() == []
