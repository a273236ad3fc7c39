"""An invoice from draft to its end, and the lines on it."""

from tests.sandbox.local import DAY, Local, local
from tests.sandbox.one_off import act, one_off, opened

__all__ = ["local"]

HOUR = 3600


def test_usage_that_is_late_but_within_the_grace_is_billed_and_later_usage_never(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.metered(meter, 10), customer=customer)
    end = sub["items"]["data"][0]["current_period_end"]
    local.advance(to=end - 60)
    local.use(meter, customer, 100)
    local.advance(to=end + 30)
    (draft,) = local.invoices(sub)
    assert (draft["status"], draft["total"], draft["automatically_finalizes_at"]) == ("draft", 1000, end + HOUR)
    local.use(meter, customer, 5, at=end - 1)
    local.use(meter, customer, 1000, at=end)
    local.advance(to=end + HOUR)
    assert (draft["status"], draft["total"]) == ("paid", 1050)
    local.use(meter, customer, 7, at=end - 1)
    local.advance(5)
    assert local.get(draft)["total"] == 1050


def test_the_events_of_a_renewal_come_in_stripes_order(local: Local) -> None:
    sub = local.subscribe(local.price())
    local.advance(31)
    invoice = local.invoices(sub)[-1]
    names = ["created", "finalized", "paid", "payment_succeeded"]
    assert local.types(invoice) == [f"invoice.{name}" for name in names]
    told = [event["type"] for event in local.events()]
    last = told[len(told) - told[::-1].index("invoice.finalized") - 1 :]
    assert last == [
        "invoice.finalized", "payment_intent.created", "charge.succeeded", "payment_intent.succeeded",
        "invoice_payment.paid", "invoice.paid", "invoice.payment_succeeded",
    ]  # fmt: skip


def test_an_invoice_by_hand_is_numbered_when_it_is_finalised_and_paid_by_the_card(local: Local) -> None:
    customer = local.customer()
    first, second = one_off(local, 4000, customer=customer), one_off(local, 100, customer=customer)
    assert first["number"] is None
    for invoice in (second, first):
        act(local, invoice, "finalize")
    assert [invoice["number"][-4:] for invoice in (second, first)] == ["0001", "0002"]
    paid = act(local, first, "pay")
    assert (paid["status"], paid["amount_paid"], paid["amount_remaining"], paid["attempt_count"]) == (
        "paid",
        4000,
        0,
        1,
    )
    (payment,) = local.store.rows("invoice_payment", invoice=paid["id"])
    intent = local.store.get("payment_intent", payment["payment"]["payment_intent"])
    charge = local.store.get("charge", intent["latest_charge"])
    assert (payment["amount_paid"], intent["amount_received"], charge["amount"]) == (4000, 4000, 4000)
    booked = local.store.get("balance_transaction", charge["balance_transaction"])
    assert (booked["fee"], booked["net"]) == (146, 3854)


def test_an_invoice_that_owes_nothing_is_paid_as_soon_as_it_is_finalised(local: Local) -> None:
    customer = local.customer()
    local.post(f"customers/{customer['id']}/balance_transactions", amount=-5000, currency="usd")
    paid = opened(local, 4000, customer=customer)
    assert (paid["status"], paid["amount_due"], paid["total"]) == ("paid", 0, 4000)
    assert (paid["starting_balance"], paid["ending_balance"]) == (-5000, -1000)
    assert local.get(customer)["balance"] == -1000
    assert not local.store.rows("invoice_payment", invoice=paid["id"])


def test_too_small_an_amount_waits_as_the_customers_debt_for_the_next_invoice(local: Local) -> None:
    customer = local.customer()
    small = opened(local, 49, customer=customer)
    assert (small["status"], small["amount_due"], local.get(customer)["balance"]) == ("paid", 0, 49)
    moved = local.store.rows("customer_balance_transaction", customer=customer["id"])
    assert [(row["type"], row["amount"]) for row in moved] == [("invoice_too_small", 49)]
    assert opened(local, 1000, customer=customer)["amount_due"] == 1049


def test_a_negative_invoice_becomes_credit(local: Local) -> None:
    customer = local.customer()
    note = opened(local, -700, customer=customer)
    assert (note["status"], note["amount_due"], note["total"]) == ("paid", 0, -700)
    assert local.get(customer)["balance"] == -700


def test_the_whole_waterfall_of_the_reference(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    vat = local.plant("tax_rate", id="txr_vat", percentage=20, inclusive=False, display_name="VAT")
    product = local.post("products", name="Calls")
    tiers = [{"up_to": 10000, "unit_amount_decimal": "0.5"}, {"up_to": 100000, "unit_amount_decimal": "0.4"}]
    tiers.append({"up_to": "inf", "unit_amount_decimal": "0.25"})
    recurring = {"interval": "month", "usage_type": "metered", "meter": meter["id"]}
    price = local.post("prices", product=product["id"], currency="usd", recurring=recurring, billing_scheme="tiered",
                       tiers_mode="graduated", tiers=tiers)  # fmt: skip
    local.post(f"customers/{customer['id']}/balance_transactions", amount=-5000, currency="usd")
    money = {"type": "monetary", "monetary": {"currency": "usd", "value": 10000}}
    scope = {"scope": {"price_type": "metered"}}
    local.post(
        "billing/credit_grants", customer=customer["id"], amount=money, applicability_config=scope, category="paid"
    )
    coupon = local.post("coupons", percent_off=10, duration="forever")
    sub = local.subscribe(price, customer=customer, discounts=[{"coupon": coupon["id"]}], default_tax_rates=[vat["id"]])
    local.use(meter, customer, 125000)
    local.advance(31)
    invoice = local.invoices(sub)[-1]
    assert [line["amount"] for line in invoice["lines"]["data"]] == [5000, 36000, 6250]
    assert (invoice["subtotal"], invoice["total"], invoice["amount_due"]) == (47250, 39030, 34030)
    assert [part["amount"] for part in invoice["total_discount_amounts"]] == [4725]
    credits = [part for part in invoice["total_pretax_credit_amounts"] if part["type"] == "credit_balance_transaction"]
    assert sum(part["amount"] for part in credits) == 10000
    assert [tax["amount"] for tax in invoice["total_taxes"]] == [6505]
    assert (invoice["status"], invoice["amount_paid"], local.get(customer)["balance"]) == ("paid", 34030, 0)


def test_voiding_gives_credits_and_balance_back(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    money = {"type": "monetary", "monetary": {"currency": "usd", "value": 300}}
    scope = {"scope": {"price_type": "metered"}}
    grant = local.post(
        "billing/credit_grants", customer=customer["id"], amount=money, applicability_config=scope, category="paid"
    )
    local.post(f"customers/{customer['id']}/balance_transactions", amount=-200, currency="usd")
    sub = local.subscribe(local.metered(meter), customer=customer, collection_method="send_invoice", days_until_due=9)
    local.use(meter, customer, 1000)
    local.advance(31)
    invoice = local.invoices(sub)[-1]
    assert (invoice["status"], invoice["amount_due"], invoice["due_date"]) == (
        "open",
        1500,
        invoice["created"] + 9 * DAY,
    )
    act(local, invoice, "void")
    assert local.get(customer)["balance"] == -200
    rows = local.store.rows("billing.credit_balance_transaction", parent=customer["id"])
    assert [row["type"] for row in rows if row["credit_grant"] == grant["id"]] == ["credit", "debit", "credit"]
    intents = local.store.rows("payment_intent", customer=customer["id"])
    assert [intent["status"] for intent in intents] == ["canceled"]
    assert local.types(invoice)[-1] == "invoice.voided"


def test_a_percentage_and_an_amount_off_stack_in_order_and_a_single_use_ends(local: Local) -> None:
    half, off = (
        local.post("coupons", duration="forever", percent_off=50),
        local.post("coupons", duration="once", amount_off=500, currency="usd"),
    )
    sub = local.subscribe(local.price(3000), discounts=[{"coupon": half["id"]}, {"coupon": off["id"]}])
    local.advance(31)
    assert [invoice["total"] for invoice in local.invoices(sub)] == [1000, 1500]
    assert len(local.get(sub)["discounts"]) == 1


def test_items_that_wait_are_left_for_later_unless_they_are_asked_for(local: Local) -> None:
    customer = local.customer()
    item = local.post("invoiceitems", customer=customer["id"], amount=2500, currency="usd", description="setup")
    empty = local.post("invoices", customer=customer["id"])
    assert empty["lines"]["data"] == []
    assert not empty["auto_advance"]
    full = local.post("invoices", customer=customer["id"], pending_invoice_items_behavior="include")
    (line,) = full["lines"]["data"]
    assert line["parent"]["invoice_item_details"]["invoice_item"] == item["id"]
    assert (full["total"], item["invoice"]) == (2500, full["id"])
    refusal = local.refused("invoices", customer=customer["id"], pending_invoice_items_behavior="include")
    assert refusal.code == "invoice_no_customer_line_items"


def test_a_renewal_takes_the_items_that_wait(local: Local) -> None:
    sub = local.subscribe(local.price(3000))
    local.post("invoiceitems", customer=sub["customer"], subscription=sub["id"], amount=-1000, currency="usd")
    local.post("invoiceitems", customer=sub["customer"], unit_amount_decimal="2.5", quantity=3, currency="usd")
    local.advance(31)
    assert local.invoices(sub)[-1]["total"] == 3000 - 1000 + 8


def test_a_balance_in_another_currency_neither_pays_an_invoice_nor_is_changed_by_it(local: Local) -> None:
    customer = local.customer()
    local.post(f"customers/{customer['id']}/balance_transactions", amount=-5000, currency="usd")
    for amount, due in ((3000, 3000), (20, 0), (-700, 0)):
        invoice = local.post("invoices", customer=customer["id"], currency="eur")
        local.post("invoiceitems", customer=customer["id"], invoice=invoice["id"], amount=amount, currency="eur")
        assert invoice["amount_due"] == due
        act(local, invoice, "finalize", auto_advance=False)
        assert (invoice["amount_due"], local.get(customer)["balance"]) == (due, -5000)
        if due:
            act(local, invoice, "void")
    assert len(local.store.rows("customer_balance_transaction", parent=customer["id"])) == 1


def test_a_discount_for_one_invoice_waits_for_one_that_it_lowers(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    coupon = local.post("coupons", percent_off=50, duration="once")
    sub = local.subscribe(local.metered(meter, 10), customer=customer, discounts=[{"coupon": coupon["id"]}])
    end = sub["items"]["data"][0]["current_period_end"]
    local.advance(to=end + 60)
    local.advance(5)
    assert len(local.get(sub)["discounts"]) == 1
    local.use(meter, customer, 100)
    local.advance(30)
    assert (local.invoices(sub)[-1]["total"], local.get(sub)["discounts"]) == (500, [])


def test_a_discount_for_one_invoice_is_used_up_by_late_usage_too(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    coupon = local.post("coupons", percent_off=50, duration="once")
    sub = local.subscribe(local.metered(meter, 10), customer=customer, discounts=[{"coupon": coupon["id"]}])
    end = sub["items"]["data"][0]["current_period_end"]
    local.advance(to=end + 60)
    local.use(meter, customer, 100, at=end - 1)
    local.advance(1)
    assert (local.invoices(sub)[-1]["total"], local.get(sub)["discounts"]) == (500, [])


def test_an_invoice_by_hand_takes_a_subscriptions_waiting_items_or_all_of_the_customer(local: Local) -> None:
    customer = local.customer()
    ended, sub = (local.subscribe(local.price(), customer=customer) for _ in range(2))
    for amount, of in ((700, {}), (110, {"subscription": sub["id"]}), (13, {"subscription": ended["id"]})):
        local.post("invoiceitems", customer=customer["id"], amount=amount, currency="usd", **of)
    local.delete(f"subscriptions/{ended['id']}")
    included = {"customer": customer["id"], "pending_invoice_items_behavior": "include"}
    assert local.post("invoices", **included, subscription=sub["id"])["total"] == 110
    assert local.post("invoices", **included)["total"] == 713


def test_an_invoice_that_is_partly_paid_is_not_voided(local: Local) -> None:
    invoice = opened(local, 4000)
    intent = local.post("payment_intents", amount=1000, currency="usd", payment_method="pm_card_visa", confirm=True)
    act(local, invoice, "attach_payment", payment_intent=intent["id"])
    assert "partially paid" in local.refused(f"invoices/{invoice['id']}/void").message


def test_a_coupon_in_a_currency_of_three_decimals_takes_off_a_multiple_of_ten(local: Local) -> None:
    assert local.refused("coupons", amount_off=1005, currency="kwd", duration="once").param == "amount_off"
    assert local.post("coupons", amount_off=1010, currency="kwd", duration="once")["amount_off"] == 1010
