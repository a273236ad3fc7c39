"""What the company sells: meters, coupons, products and prices, from the company file."""

import json
from typing import Any

from sandbox import objects
from sandbox.company_file import METERS, Company
from sandbox.store import Obj, Store

UNITS = {"Compute": "second", "Storage": "GB-day", "Seats": "seat"}  # product → unit label


def write_catalog(store: Store, company: Company) -> None:
    """Put every meter, coupon, product and price in the store, created now, without events.

    Lookup keys of prices: `starter_fee_usd`, `starter_api_calls_usd`, `seats_usd`, `compute_seconds_usd`, …
    """
    meters, prices = dict[str, str](), dict[str, str]()
    for name, title in METERS.items():
        fields: Obj = {"display_name": title, "event_name": name, "default_aggregation": {"formula": "sum"}}
        meters[name] = objects.create(store, "billing.meter", emits=False, **fields)["id"]
    for code, spec in company["coupons"].items():
        objects.create(store, "coupon", emits=False, id=code, name=code, duration="repeating", **spec)

    def product(name: str, **fields: Any) -> str:
        return str(objects.create(store, "product", emits=False, name=name, **fields)["id"])

    def sell(product: str, key: str, currency: str, meter: str | None, amount: Obj) -> None:
        key = f"{key}_{currency}"
        recurring = {"interval": "month", "interval_count": 1, "meter": meter, "trial_period_days": None}
        recurring["usage_type"] = "metered" if meter else "licensed"
        fields = amount | {"product": product, "currency": currency, "lookup_key": key, "recurring": recurring}
        prices[key] = objects.create(store, "price", emits=False, type="recurring", **fields)["id"]

    for plan, spec in company["plans"].items():
        sold = product(spec["name"], metadata={"plan": plan, "plan_rank": str(spec["rank"])})
        for currency in company["currencies"]:
            tiers = [{"up_to": spec["included"], currency: "0"}, *spec["overage"]]
            sell(sold, f"{plan}_fee", currency, None, _fixed(spec["fee"][currency]))
            sell(sold, f"{plan}_api_calls", currency, meters["api_calls"], _tiered("graduated", tiers, currency))
    addons, products = company["addons"], {name: product(name, unit_label=unit) for name, unit in UNITS.items()}
    for currency in company["currencies"]:
        second, volume = _fixed(addons["compute_second"][currency]), _tiered("volume", addons["storage"], currency)
        sell(products["Compute"], "compute_seconds", currency, meters["compute_seconds"], second)
        sell(products["Storage"], "storage_gb_days", currency, meters["storage_gb_days"], volume)
        sell(products["Seats"], "seats", currency, None, _fixed(addons["seat"][currency]))
    store.set_meta("company meters", json.dumps(meters))
    store.set_meta("company prices", json.dumps(prices))


def _fixed(amount: int | str) -> Obj:
    text = str(amount)
    return {"unit_amount": int(text) if text.isdigit() else None, "unit_amount_decimal": text}


def _tiered(mode: str, tiers: list[dict[str, Any]], currency: str) -> Obj:
    flat = {"flat_amount": None, "flat_amount_decimal": None}
    rows = [flat | _fixed(tier[currency]) | {"up_to": tier.get("up_to")} for tier in tiers]
    return {"billing_scheme": "tiered", "tiers_mode": mode, "tiers": rows}
