"""What the company sells: meters, coupons, products and prices, from the company file."""

import json
from typing import Any

from sandbox import objects
from sandbox.company_file import METERS, Company
from sandbox.store import Obj, Store

UNITS = {"Compute": "second", "Storage": "GB-day", "Seats": "seat"}


def price_key(what: str, currency: str) -> str:
    """The lookup key of a price: `starter_fee`, `starter_api_calls`, `seats`, `compute_seconds`, `storage_gb_days`."""
    return f"{what}_{currency}"


def write_catalog(store: Store, company: Company) -> None:
    """Put every meter, coupon, product and price in the store, created now, without events."""
    meters = {name: _meter(store, name, title) for name, title in METERS.items()}
    for code, spec in company["coupons"].items():
        objects.create(store, "coupon", emits=False, id=code, name=code, duration="repeating", **spec)
    prices: dict[str, str] = {}
    for plan, spec in company["plans"].items():
        product = _product(store, spec["name"], None, plan=plan, plan_rank=str(spec["rank"]))
        for currency in company["currencies"]:
            free = {"up_to": spec["included"], currency: "0"}
            tiers = [_tier(tier, currency) for tier in [free, *spec["overage"]]]
            tiered = {"billing_scheme": "tiered", "tiers_mode": "graduated", "tiers": tiers}
            fee = _fixed(str(spec["fee"][currency]))
            prices |= _price(store, product, f"{plan}_fee", currency, None, fee)
            prices |= _price(store, product, f"{plan}_api_calls", currency, meters["api_calls"], tiered)
    addons = company["addons"]
    products = {name: _product(store, name, unit) for name, unit in UNITS.items()}
    for currency in company["currencies"]:
        second = _fixed(addons["compute_second"][currency])
        prices |= _price(store, products["Compute"], "compute_seconds", currency, meters["compute_seconds"], second)
        tiers = [_tier(tier, currency) for tier in addons["storage"]]
        volume = {"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": tiers}
        prices |= _price(store, products["Storage"], "storage_gb_days", currency, meters["storage_gb_days"], volume)
        prices |= _price(store, products["Seats"], "seats", currency, None, _fixed(str(addons["seat"][currency])))
    store.set_meta("company prices", json.dumps(prices))


def _whole(amount: str) -> int | None:
    return int(amount) if amount.isdigit() else None


def _fixed(amount: str) -> Obj:
    return {"unit_amount": _whole(amount), "unit_amount_decimal": amount}


def _tier(tier: dict[str, Any], currency: str) -> Obj:
    flat = {"flat_amount": None, "flat_amount_decimal": None}
    return flat | _fixed(str(tier[currency])) | {"up_to": tier.get("up_to")}


def _meter(store: Store, name: str, title: str) -> str:
    fields: Obj = {"display_name": title, "event_name": name, "default_aggregation": {"formula": "sum"}}
    return str(objects.create(store, "billing.meter", emits=False, updated=store.now, **fields)["id"])


def _product(store: Store, name: str, unit: str | None, **metadata: str) -> str:
    fields: Obj = {"name": name, "metadata": metadata, "unit_label": unit, "updated": store.now}
    return str(objects.create(store, "product", emits=False, **fields)["id"])


def _price(store: Store, product: str, what: str, currency: str, meter: str | None, fields: Obj) -> dict[str, str]:
    key = price_key(what, currency)
    recurring = {"interval": "month", "interval_count": 1, "meter": meter, "trial_period_days": None}
    recurring["usage_type"] = "metered" if meter else "licensed"
    fields |= {"product": product, "currency": currency, "lookup_key": key, "recurring": recurring}
    return {key: str(objects.create(store, "price", emits=False, type="recurring", **fields)["id"])}
