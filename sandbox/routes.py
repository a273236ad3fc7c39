"""Every route: the generic ones of each resource, and those that the modules below bring."""

import re
from functools import cache
from importlib import import_module
from types import ModuleType

from sandbox.call import Handler
from sandbox.resources import RESOURCES

# Modules with ROUTES ("POST /v1/customers/{id}" → handler) or TASKS (task kind → handler).
NAMES = (
    "webhooks", "person_tasks", "simple", "customers", "prices", "payment_methods", "meters", "credit_grants",
    "test_clocks", "subscription_routes", "subscription_items", "renewals", "invoices", "payments", "intents",
    "invoice_routes", "invoice_items", "credit_notes", "invoice_preview", "schedules", "quotes",
)  # fmt: skip
PERMISSIONS = {  # where a route's permission is not that of the resource whose URL it begins with
    "POST /v1/invoices/create_preview": "invoice_read",
    "POST /v1/billing/meter_events": "billing_meter_event_write",
    "POST /v1/billing/meter_event_adjustments": "billing_meter_event_write",
    "GET /v1/billing/meters/{id}/event_summaries": "billing_meter_event_read",
    "GET /v1/billing/credit_balance_summary": "billing_credit_grant_read",
    "GET /v1/account": "account_read",
}
PREFIXES = {resource.url: resource.permission for resource in RESOURCES.values() if resource.url}


class Route:
    """One route: `path` has `{id}` for what varies, `permission` is what a restricted key needs."""

    def __init__(self, method: str, path: str, handler: Handler, permission: str) -> None:
        self.method, self.path, self.handler, self.permission = method, path, handler, permission
        self.key = f"{method} {re.sub('{[a-z]+}', '{id}', path)}"  # its entry in the catalogue of parameters
        self.pattern = re.compile(re.sub("{([a-z]+)}", r"(?P<\1>[^/]+)", path))


@cache
def modules() -> tuple[ModuleType, ...]:
    """The modules of NAMES, imported when first needed: they import the core, not the other way round."""
    return tuple(import_module(f"sandbox.{name}") for name in NAMES)


@cache
def routes() -> tuple[Route, ...]:
    """All routes, those without ids in their path first."""
    from sandbox import paging, rules

    table: dict[str, Handler] = {}
    for resource in RESOURCES.values():
        if "list" in resource.verbs and resource.url:
            table[f"GET {resource.url}"] = paging.list_of(resource)
        if "retrieve" in resource.verbs and resource.url:
            table[f"GET {resource.url}/{{id}}"] = paging.one_of(resource)
        for name, kind in resource.children.items():
            table[f"GET {resource.url}/{{id}}/{name}"] = paging.children_of(resource, name, kind)
    for module in modules():
        table |= getattr(module, "ROUTES", {})
    found = []
    for key, handler in table.items():
        method, path = key.split(" ")
        found.append(Route(method, path, rules.ruled(handler, key), permission(key)))
    return tuple(sorted(found, key=lambda route: (route.path.count("{"), route.path, route.method)))


def permission(key: str) -> str:
    """The permission that a route asks of a restricted key, such as `invoice_write`."""
    if key in PERMISSIONS:
        return PERMISSIONS[key]
    method, path = key.split(" ")
    owner = max((url for url in PREFIXES if path == url or path.startswith(f"{url}/")), key=len)
    return f"{PREFIXES[owner]}_{'read' if method == 'GET' else 'write'}"
