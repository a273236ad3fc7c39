"""What the company sells: products, prices, coupons and meters, from company.toml."""

from typing import Any

from sandbox.store import Obj, Store

METERS = {"api_calls": "API calls", "compute_seconds": "Compute seconds", "storage_gb_days": "Storage GB-days"}


def price_key(what: str, currency: str) -> str:
    """The lookup key of a price: `starter_fee`, `starter_api_calls`, `seats`, `compute_seconds`, `storage_gb_days`."""
    return f"{what}_{currency}"


def price_ids(store: Store) -> dict[str, str]:
    """lookup key → price id."""
    return {price["lookup_key"]: price["id"] for price in store.all("price")}


def write_catalog(store: Store, company: dict[str, Any], at: int) -> None:
    """Put every meter, coupon, product and price in the store, created at `at`."""
    meters = {name: _meter(store, name, title, at) for name, title in METERS.items()}
    for code, coupon in company["coupons"].items():
        store.put(_coupon(code, coupon, at))
    currencies = list(company["currencies"])
    for plan, spec in company["plans"].items():
        product = _product(store, spec["name"], at, {"plan": plan, "plan_rank": str(spec["rank"])}, None)
        for currency in currencies:
            _licensed(store, product, price_key(f"{plan}_fee", currency), spec["fee"][currency], currency, at)
            free = {"up_to": spec["included"], "usd": "0", "jpy": "0"}
            tiers = [_tier(tier, currency) for tier in [free, *spec["overage"]]]
            tiered = {"billing_scheme": "tiered", "tiers_mode": "graduated", "tiers": tiers}
            key = price_key(f"{plan}_api_calls", currency)
            _metered(store, product, key, meters["api_calls"], currency, at, tiered)
    addons = company["addons"]
    products = {name: _product(store, name, at, {}, unit) for name, unit in UNITS.items()}
    for currency in currencies:
        per_second = {"unit_amount_decimal": addons["compute_second"][currency]}
        key = price_key("compute_seconds", currency)
        _metered(store, products["Compute"], key, meters["compute_seconds"], currency, at, per_second)
        tiers = [_tier(tier, currency) for tier in addons["storage"]]
        volume = {"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": tiers}
        key = price_key("storage_gb_days", currency)
        _metered(store, products["Storage"], key, meters["storage_gb_days"], currency, at, volume)
        _licensed(store, products["Seats"], price_key("seats", currency), addons["seat"][currency], currency, at)


UNITS = {"Compute": "second", "Storage": "GB-day", "Seats": "seat"}


def _tier(tier: dict[str, Any], currency: str) -> Obj:
    amount = str(tier[currency])
    return {
        "flat_amount": None,
        "flat_amount_decimal": None,
        "unit_amount": int(amount) if amount.isdigit() else None,
        "unit_amount_decimal": amount,
        "up_to": tier.get("up_to"),
    }


def _meter(store: Store, name: str, title: str, at: int) -> str:
    meter = {
        "id": store.new_id("mtr_test_", 20),
        "object": "billing.meter",
        "created": at,
        "customer_mapping": {"event_payload_key": "stripe_customer_id", "type": "by_id"},
        "default_aggregation": {"formula": "sum"},
        "display_name": title,
        "event_name": name,
        "event_time_window": None,
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": at,
        "value_settings": {"event_payload_key": "value"},
    }
    return str(store.put(meter)["id"])


def _coupon(code: str, spec: dict[str, Any], at: int) -> Obj:
    return {
        "id": code,
        "object": "coupon",
        "amount_off": None,
        "created": at,
        "currency": None,
        "duration": "repeating",
        "duration_in_months": spec["duration_in_months"],
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "name": code,
        "percent_off": spec["percent_off"],
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    }


def _product(store: Store, name: str, at: int, metadata: dict[str, str], unit: str | None) -> str:
    product = {
        "id": store.new_id("prod_", 14),
        "object": "product",
        "active": True,
        "created": at,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": metadata,
        "name": name,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": unit,
        "updated": at,
        "url": None,
    }
    return str(store.put(product)["id"])


def _price(store: Store, product: str, key: str, currency: str, at: int, **fields: Any) -> None:
    price = {
        "id": store.new_id("price_"),
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": at,
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": key,
        "metadata": {},
        "nickname": None,
        "product": product,
        "recurring": {
            "interval": "month",
            "interval_count": 1,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        },
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring",
        "unit_amount": None,
        "unit_amount_decimal": None,
    }
    store.put(price | fields)


def _licensed(store: Store, product: str, key: str, amount: int, currency: str, at: int) -> None:
    _price(store, product, key, currency, at, unit_amount=amount, unit_amount_decimal=str(amount))


def _metered(store: Store, product: str, key: str, meter: str, currency: str, at: int, fields: Obj) -> None:
    recurring = {"interval": "month", "interval_count": 1, "meter": meter, "trial_period_days": None}
    _price(store, product, key, currency, at, recurring=recurring | {"usage_type": "metered"}, **fields)
