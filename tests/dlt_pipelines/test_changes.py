"""A hundred random changes between two loads are all caught: what Stripe tells of at once, the rest by re-reading.

`make soak-load` draws many more of them.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from dlt_pipelines.inbox import Arrival, Inbox
from sandbox.store import Store
from tests.dlt_pipelines import oracle
from tests.dlt_pipelines.changes import CHANGES, IS_UNTOLD, UNTOLD, Changer
from tests.dlt_pipelines.proof import Proof, proving
from tests.dlt_pipelines.stripe_bytes import rows

EXAMPLES = int(os.environ.get("METERWISE_SOAK_EXAMPLES", "2"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=(Phase.generate,),  # shrinking takes minutes, and the changes are printed anyway
    derandomize="METERWISE_SOAK_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
HUNDRED = st.lists(st.tuples(st.sampled_from(list(CHANGES)), st.integers(0, 2**16)), min_size=100, max_size=100)
DAY_AND_A_BIT, WEEK = 1.01, 7


def test_a_hundred_changes_between_two_loads_are_all_caught(loaded: Path) -> None:
    @SETTINGS
    @given(HUNDRED)
    def caught(changes: list[tuple[str, int]]) -> None:
        data = Path(tempfile.mkdtemp(prefix="changes-"))
        try:
            with proving(loaded, data) as proof:
                _change_and_load(proof, changes)
        finally:
            shutil.rmtree(data)

    caught()


def _change_and_load(proof: Proof, changes: list[tuple[str, int]]) -> None:
    changer, before = Changer(proof.served), oracle.rows_of(proof.data)
    for name, number in changes:
        changer.make(name, number)
    note(f"{changer.done} changes made, {changer.refused} refused")
    assert changer.done >= 60, "most changes were refused: the account offers too little to change"

    proof.load()
    assert [line for line in proof.differences() if not IS_UNTOLD.match(line)] == []
    proof.served.advance(DAY_AND_A_BIT)
    proof.load()
    assert proof.differences() == []
    after = oracle.rows_of(proof.data)
    lost = {table: set(found) - set(after[table]) for table, found in before.items()}
    assert not any(lost.values()), "a row of an earlier load is gone"


def test_webhooks_alone_in_any_order_and_repeated_tell_of_every_change(proof: Proof) -> None:
    changer = Changer(proof.served)
    told = [name for name in CHANGES if name not in UNTOLD]
    known = set(proof.served.within(_events))
    for number in range(0, 90 * 613, 613):
        changer.make(told[number % len(told)], number)
    sent = {key: event for key, event in proof.served.within(_events).items() if key not in known}

    def forget(store: Store) -> None:
        for key in sent:
            store.remove(key)

    proof.served.within(forget)  # so that the list tells of none of them
    deliveries = sorted([*sent.values()] * 2, key=lambda event: str(event["id"])[::-1])  # ids are random: any order
    box = Inbox(proof.settings.inbox)
    box.land(
        [Arrival(one["id"], one["type"], one["created"], False, None, msgspec.json.encode(one)) for one in deliveries]
    )
    box.close()

    proof.load()

    assert len(sent) > 100
    assert [line for line in proof.differences() if not IS_UNTOLD.match(line)] == []


def _events(store: Store) -> dict[str, Any]:
    return {event["id"]: event for event in store.rows("event")}


def test_what_is_deleted_becomes_a_tombstone_with_all_that_hangs_on_it(proof: Proof) -> None:
    v1, data = proof.served.v1, proof.data
    customer = v1.customers.create({"name": "Leaving"}).id
    product = v1.products.create({"name": "Leaving"}).id
    coupon = v1.coupons.create({"percent_off": 5}).id
    kept = v1.customers.list({"limit": 1}).data[0].id
    item = v1.invoice_items.create({"customer": kept, "amount": 5, "currency": "usd"}).id
    draft = v1.invoices.create(
        {"customer": kept, "auto_advance": False, "pending_invoice_items_behavior": "exclude"}
    ).id
    v1.invoices.add_lines(draft, {"lines": [{"amount": 1, "description": f"{n}"} for n in range(25)]})
    gone = {"customers": customer, "products": product, "coupons": coupon, "invoice_items": item, "invoices": draft}
    proof.load()

    for delete, key in zip(
        (v1.customers, v1.products, v1.coupons, v1.invoice_items, v1.invoices), gone.values(), strict=True
    ):
        delete.delete(key)
    proof.load()

    newest = "select is_deleted from raw_stripe.{} where {} = '{}' qualify rank() over (order by loaded_at desc) = 1"
    for table, key in gone.items():
        assert rows(data, newest.format(table, "id", key)) == [(True,)], table
    assert rows(data, newest.format("invoice_lines", "parent_id", draft)) == [(True,)] * 25
    assert proof.differences() == []


def test_what_changed_and_changed_back_is_two_versions_more(proof: Proof) -> None:
    v1 = proof.served.v1
    customer = v1.customers.list({"limit": 1}).data[0].id
    for name in ("Other", "Former"):
        v1.customers.update(customer, {"name": name})
        proof.load()

    names = f"select payload ->> '$.name' from raw_stripe.customers where id = '{customer}' order by loaded_at"
    assert [name for (name,) in rows(proof.data, names)][1:] == ["Other", "Former"]
    assert proof.differences() == []


def test_what_nothing_tells_of_is_found_within_a_week(proof: Proof) -> None:
    v1 = proof.served.v1
    payer = rows(proof.data, "select parent_id, id from raw_stripe.customer_balance_transactions limit 1")[0]
    v1.customers.balance_transactions.update(*payer, {"description": "edited"})
    v1.payment_intents.create({"amount": 700, "currency": "usd", "payment_method": "pm_card_visa"})  # nobody's card
    proof.served.advance(WEEK)

    proof.load()

    assert proof.differences() == []
    assert rows(proof.data, "select count(*) from raw_stripe.load_report where how = 'weekly'")[0][0] > 20
