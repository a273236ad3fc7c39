"""What the official SDK's generated types say that Stripe's routes accept; written out as the sandbox's catalogue.

Run `python -m tests.oracles.sdk_parameters` to write `sandbox/parameters.json` anew after a new SDK or a new route.
"""

import inspect
import json
import pkgutil
import re
import typing
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import stripe
from stripe import StripeObject

CATALOGUE = Path(__file__).resolve().parents[2] / "sandbox" / "parameters.json"
REQUEST = re.compile(r'self\._request\(\s*"(get|post|delete)",\s*"(/v1/[^"]+)"')
SCALARS = {str: "str", int: "int", bool: "bool", float: "float", Decimal: "decimal"}
SIMULATED = re.compile(
    r"GET /v1/accounts(/{id})?$"
    r"|[A-Z]+ /v1/(account|balance_transactions|billing|charges|coupons|credit_notes|customers|disputes|events"
    r"|invoice_payments|invoiceitems|invoices|payment_intents|payment_methods|prices|products|promotion_codes|quotes"
    r"|refunds|subscription_items|subscription_schedules|subscriptions|tax_rates|test_helpers/test_clocks"
    r"|webhook_endpoints)(?![^/])"
)
OPTIONS = {"idempotency_key", "api_key", "stripe_account", "stripe_context", "stripe_version", "headers",
           "max_network_retries", "content_type"}  # of the request, not of the route  # fmt: skip


def routes() -> dict[str, type | None]:
    """`POST /v1/customers/{id}` → the TypedDict of its parameters (None: it takes none), for all of v1."""
    found: dict[str, type | None] = {}
    for module in _services():
        for _, service in inspect.getmembers(module, inspect.isclass):
            if service.__module__ != module.__name__:
                continue
            for name, method in inspect.getmembers(service, inspect.isfunction):
                call = None if name.endswith("_async") else REQUEST.search(inspect.getsource(method))
                if call:
                    note = str(inspect.signature(method).parameters.get("params", ""))
                    named = re.search(r"\"?(\w+Params)\"?", note)
                    home = "stripe.params" + _sub(module)
                    params = getattr(import_module(home), named[1]) if named else None
                    found[f"{call[1].upper()} {anonymous(call[2])}"] = params
    return found


def anonymous(path: str) -> str:
    """A path with every id in it called `{id}`."""
    return re.sub(r"\{\w+\}", "{id}", path)


def _services() -> list[Any]:
    names = [m.name for m in pkgutil.walk_packages(stripe.__path__, "stripe.") if m.name.endswith("_service")]
    return [import_module(name) for name in names if ".v2" not in name and "_v2" not in name]


def _sub(module: Any) -> str:
    """`.billing` for a service in stripe.billing: its parameters live in stripe.params.billing."""
    return "".join(f".{part}" for part in module.__name__.split(".")[1:-1])


def fields(params: Any) -> dict[str, Any]:
    """The catalogue's form of a TypedDict: a name ends in `!` when it must be given."""
    scope = vars(typing) | {"StripeContext": str} | vars(import_module(params.__module__))
    shown = {}
    for name, hint in sorted(typing.get_type_hints(params, scope, include_extras=True).items()):
        if name in OPTIONS:
            continue
        optional = typing.get_origin(hint) is typing.NotRequired or "NotRequired" in str(hint)[:30]
        shown[name.rstrip("_") if name == "from_" else name + ("" if optional else "!")] = node(hint)
    return shown


def node(hint: Any) -> Any:
    """The catalogue's form of a type hint; the forms are told in sandbox/params.py."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.NotRequired, typing.Required, typing.Annotated):
        return node(inside[0])
    if hint in SCALARS:
        return SCALARS[hint]
    if origin is typing.Literal:
        return "=" + "|".join(inside)
    if origin in (list, typing.List):  # noqa: UP006 # the SDK writes List
        return [node(inside[0])]
    if origin in (dict, typing.Dict):  # noqa: UP006 # the SDK writes Dict
        return {"*": node(inside[1])}
    if hasattr(hint, "__required_keys__"):  # a TypedDict, also one of typing_extensions
        return fields(hint)
    if origin is typing.Union or str(origin) == "<class 'types.UnionType'>":
        return _union([one for one in inside if one is not type(None)])
    if inspect.isclass(origin) and issubclass(origin, StripeObject):
        return None  # the untyped twin of a dict that stands beside it
    raise TypeError(f"{hint} has a form that the catalogue does not know: add it to node()")


def _union(parts: list[Any]) -> Any:
    """Of several forms. A choice beside `str` is one of the SDK's open enumerations: Stripe takes what is listed."""
    nodes = [one for part in parts if (one := node(part)) is not None]
    values = [value for one in nodes if isinstance(one, str) and one.startswith("=") for value in one[1:].split("|")]
    others = [
        one for one in nodes if not (isinstance(one, str) and (one.startswith("=") or (any(values) and one == "str")))
    ]
    if "str" in others:
        return "str"  # an empty string clears; it is a string already
    nodes = others + (["=" + "|".join(values)] if values else [])
    return nodes[0] if len(nodes) == 1 else {"any": nodes}


def catalogue() -> str:
    """What `sandbox/parameters.json` must hold: a line per route."""
    known = routes()
    shown = {}
    for key, params in known.items():
        if SIMULATED.match(key):
            shown[key] = {"expand": ["str"]} | (fields(params) if params else {})
    rows = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in sorted(shown.items())]
    return "{\n" + ",\n".join(rows) + "\n}\n"


if __name__ == "__main__":
    CATALOGUE.write_text(catalogue())
