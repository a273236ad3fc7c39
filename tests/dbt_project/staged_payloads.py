"""What the staging models are tested on: odd payloads in every table, two loads with a dbt run after each."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dlt_pipelines.stripe_api import KINDS
from tests.commands import dbt
from tests.dbt_project.raw import LOADED_AT, RawWarehouse, account, customer, epoch, meter

LATER, LAST = LOADED_AT + timedelta(hours=1), LOADED_AT + timedelta(hours=2)
BEYOND = 2**53 + 1  # the first integer that a float cannot hold
TABLES = sorted({table for kind in KINDS for table in (kind.table, *(nested.table for nested in kind.nested))})
MADE_UP = "Hopper"  # stands for what must not come through
PERSON = {"name": f"Grace {MADE_UP}", "email": f"grace@{MADE_UP}.example", "phone": MADE_UP}
PERSONAL: dict[str, dict[str, Any]] = {
    "payment_methods": {"billing_details": PERSON, "card": {"brand": "visa", "last4": MADE_UP, "fingerprint": MADE_UP}},
    "charges": {"receipt_email": MADE_UP, "payment_method_details": {"card": {"last4": MADE_UP}}},
    "payment_intents": {"receipt_email": MADE_UP, "shipping": PERSON, "client_secret": MADE_UP},
    "disputes": {"evidence": {"customer_name": MADE_UP, "customer_purchase_ip": MADE_UP}},
    "invoices": {"customer_name": MADE_UP, "customer_email": MADE_UP, "hosted_invoice_url": MADE_UP},
}  # fmt: skip
COMPILED = "compiled_whole"  # in the state folder: the SQL of the first run, which built everything


def staged_twice(data: Path) -> None:
    """Load, let dbt build staging, load again, let dbt build what changed: all in the empty folder `data`.

    The tests of keys and of the models above are other files' work.
    """
    chosen = ("--select", "staging.stripe,resource_type:model", "usage_is_covered_to_within_two_days")
    for load in (_load_first, _load_second):
        with RawWarehouse(data) as raw:
            load(raw)
        built = dbt(data, "build", *chosen, "--indirect-selection", "empty")
        assert built.returncode == 0, built.stdout
        assert "WARN=0" in built.stdout
        if load is _load_first:
            shutil.copytree(data / "dbt" / "compiled", data / COMPILED)


def whole(staged: Path, model: str, kind: str = "models/staging/stripe") -> str:
    """The SQL with which dbt built all of a model, to run it on other raw rows."""
    return (staged / COMPILED / "meterwise" / kind / f"{model}.sql").read_text()


def changed(staged: Path, model: str) -> str:
    """The SQL with which dbt built what had changed of a staging model."""
    return (staged / "dbt" / "compiled" / "meterwise" / "models" / "staging" / "stripe" / f"{model}.sql").read_text()


def _load_first(raw: RawWarehouse) -> None:
    raw.add("accounts", [account()])
    raw.add("meters", [meter()])
    for table in TABLES:
        raw.add(table, [{"id": "bare"}], parent_id="parent")
        # nothing is of the type that Stripe describes
        raw.add(
            table, ['{"id":"odd","amount":{"a":[1]},"customer":7,"currency":true,"metadata":[],"discounts":"none"}']
        )
    raw.add("charges", [f'{{"id":"ch_big","amount":{BEYOND},"currency":"USD","customer":{{"id":"cus_big"}}}}'])
    tier = f'{{"up_to":{BEYOND},"unit_amount_decimal":"0.000000000001"}}'
    raw.add("prices", [f'{{"id":"price_big","unit_amount_decimal":"9007199254.740993123456","tiers":[{tier}]}}'])
    coupon = {"id": "TEN", "percent_off": 10.125, "applies_to": {"products": ["prod_a", "prod_b"]}}
    raw.add("coupons", [coupon])
    discount = {"id": "di_1", "start": epoch("2026-02-01"), "end": None, "source": {"coupon": coupon}}
    raw.add("invoices", [{"id": "in_expanded", "customer": customer("cus_1"), "discounts": [discount, "di_2"]}])
    for table, fields in PERSONAL.items():
        raw.add(table, [{"id": "personal"} | fields])
    raw.add("products", [{"id": each, "name": "as before"} for each in ("kept", "renamed", "gone", "unknown")])
    raw.add("products", [{"id": "back"}], is_deleted=True)
    # versions: appended in another order than they were read, twice in one load, and deleted
    raw.add("customers", [customer("cus_late", name="new")], loaded_at=LATER)
    raw.add("customers", [customer("cus_gone", name="Ada")])
    raw.add_usage("cus_late", {"2026-02-10": 7}, loaded_at=LATER)
    raw.report_load("2026-02-28", recorded_at=datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=28))
    raw.add("products", [{"id": "kept", "name": "of a load that was broken off"}], loaded_at=LAST)


def _load_second(raw: RawWarehouse) -> None:
    raw.add("customers", [customer("cus_late", name="old")])
    raw.add("customers", [customer("cus_twice", name=name) for name in ("first", "second")], loaded_at=LATER)
    raw.add("customers", ['{"id":"cus_gone","deleted":true}'], is_deleted=True, loaded_at=LATER)
    raw.add_usage("cus_late", {"2026-02-10": 5})
    raw.add("products", [{"id": each, "name": f"{each} now"} for each in ("renamed", "back", "made")], loaded_at=LATER)
    raw.add("products", ['{"id":"gone","deleted":true}'], is_deleted=True, loaded_at=LATER)
    raw.rows("delete from raw_stripe.products where id = 'unknown'")
    raw.report_load("2026-02-28", "run_2", recorded_at=datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=27))
