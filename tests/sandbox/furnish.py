"""The first half of the scenario of drive.py: what an account needs before anything can be billed."""

from typing import Any

DAY = 86_400


def webhooks(v1: Any) -> None:
    url = "http://127.0.0.1:9/never"
    endpoint = v1.webhook_endpoints.create({"url": url, "enabled_events": ["tax_rate.created"]})
    v1.webhook_endpoints.retrieve(endpoint.id)
    v1.webhook_endpoints.update(endpoint.id, {"description": "nobody listens", "disabled": True})
    v1.webhook_endpoints.list()
    v1.webhook_endpoints.delete(endpoint.id)


def catalogue(v1: Any) -> dict[str, Any]:
    """Products, prices of several shapes, coupons: name → object."""
    product = v1.products.create({"name": "Plan", "metadata": {"plan": "growth"}})
    spare = v1.products.create({"name": "Spare"})
    v1.products.update(product.id, {"description": "all you can eat"})
    v1.products.retrieve(product.id)
    v1.products.list({"active": True})
    v1.products.delete(spare.id)
    meter = v1.billing.meters.create(
        {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}
    )
    monthly = {"interval": "month"}
    price = v1.prices.create({"product": product.id, "currency": "usd", "unit_amount": 5000, "recurring": monthly})
    dear = v1.prices.create(
        {"product": product.id, "currency": "usd", "unit_amount": 9000, "recurring": monthly, "nickname": "dear"}
    )
    metered = v1.prices.create(
        {
            "product": product.id,
            "currency": "usd",
            "recurring": monthly | {"usage_type": "metered", "meter": meter.id},
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [
                {"up_to": 1000, "flat_amount": 2000, "unit_amount": 0},
                {"up_to": "inf", "unit_amount_decimal": "0.5"},
            ],
        }
    )
    once = v1.prices.create({"product": product.id, "currency": "usd", "unit_amount": 700})
    v1.prices.update(dear.id, {"metadata": {"experiment": "x1"}})
    v1.prices.retrieve(metered.id, {"expand": ["tiers"]})
    v1.prices.list({"product": product.id, "expand": ["data.tiers"]})
    coupon = v1.coupons.create({"percent_off": 10, "duration": "repeating", "duration_in_months": 3})
    gone = v1.coupons.create({"amount_off": 100, "currency": "usd", "duration": "once", "id": "GONE"})
    v1.coupons.update(coupon.id, {"name": "Ten"})
    v1.coupons.retrieve(coupon.id)
    v1.coupons.list()
    v1.coupons.delete(gone.id)
    return {"product": product, "meter": meter, "price": price, "dear": dear, "metered": metered, "once": once,
            "coupon": coupon}  # fmt: skip


def customers(v1: Any, made: dict[str, Any]) -> None:
    made["customer"] = customer = v1.customers.create(
        {
            "name": "Ada",
            "email": "ada@example.com",
            "payment_method": "pm_card_visa",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
            "address": {"country": "US"},
        }
    )
    v1.customers.update(customer.id, {"metadata": {"tier": "priority"}})
    v1.customers.retrieve(customer.id)
    v1.customers.list({"email": "ada@example.com"})
    moved = v1.customers.balance_transactions.create(customer.id, {"amount": -300, "currency": "usd"})
    v1.customers.balance_transactions.update(customer.id, moved.id, {"description": "sorry"})
    v1.customers.balance_transactions.retrieve(customer.id, moved.id)
    v1.customers.balance_transactions.list(customer.id)
    v1.customers.payment_methods.list(customer.id)
    method = v1.payment_methods.attach("pm_card_mastercard", {"customer": customer.id})
    v1.payment_methods.retrieve(method.id)
    v1.payment_methods.list({"customer": customer.id})
    v1.payment_methods.detach(method.id)


def meters(v1: Any, made: dict[str, Any]) -> None:
    meter, customer = made["meter"], made["customer"]
    other = v1.billing.meters.create(
        {"display_name": "Jobs", "event_name": "jobs", "default_aggregation": {"formula": "count"}}
    )
    v1.billing.meters.update(other.id, {"display_name": "Jobs run"})
    v1.billing.meters.deactivate(other.id)
    v1.billing.meters.reactivate(other.id)
    v1.billing.meters.retrieve(other.id)
    v1.billing.meters.list({"status": "active"})
    payload = {"stripe_customer_id": customer.id, "value": "1500"}
    event = v1.billing.meter_events.create({"event_name": "calls", "payload": payload, "identifier": "first"})
    v1.billing.meter_events.create({"event_name": "calls", "payload": payload | {"value": "7"}, "identifier": "second"})
    v1.billing.meter_event_adjustments.create(
        {"event_name": "calls", "type": "cancel", "cancel": {"identifier": "second"}}
    )
    day = event.timestamp - event.timestamp % DAY
    v1.billing.meters.event_summaries.list(
        meter.id, {"customer": customer.id, "start_time": day, "end_time": day + DAY, "value_grouping_window": "hour"}
    )
    alert = v1.billing.alerts.create(
        {
            "title": "many",
            "alert_type": "usage_threshold",
            "usage_threshold": {
                "meter": meter.id,
                "gte": 1000,
                "recurrence": "one_time",
                "filters": [{"type": "customer", "customer": customer.id}],
            },
        }
    )
    v1.billing.alerts.retrieve(alert.id)
    v1.billing.alerts.list()
    v1.billing.alerts.deactivate(alert.id)
    v1.billing.alerts.activate(alert.id)
    v1.billing.alerts.archive(alert.id)


def credits(v1: Any, made: dict[str, Any]) -> None:
    def grant(**more: Any) -> Any:
        return v1.billing.credit_grants.create(
            {
                "customer": made["customer"].id,
                "amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 500}},
                "applicability_config": {"scope": {"price_type": "metered"}},
                "category": "promotional",
                **more,
            }
        )

    kept, void, expired = grant(name="kept"), grant(), grant(priority=10)
    v1.billing.credit_grants.update(kept.id, {"metadata": {"why": "outage"}})
    v1.billing.credit_grants.retrieve(kept.id)
    v1.billing.credit_grants.void_grant(void.id)
    v1.billing.credit_grants.expire(expired.id)
    v1.billing.credit_grants.list({"customer": made["customer"].id})
    rows = v1.billing.credit_balance_transactions.list({"customer": made["customer"].id})
    v1.billing.credit_balance_transactions.retrieve(rows.data[0].id)
    scope = {"type": "applicability_scope", "applicability_scope": {"price_type": "metered"}}
    v1.billing.credit_balance_summary.retrieve({"customer": made["customer"].id, "filter": scope})
