"""What parameters must be beyond their types, as data: rules.json holds the rules of each route, by the kinds below.

Names are dotted; `[]` after one means each element of its list. Texts and codes are those of refusals.toml.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from sandbox.call import Call, Handler, Page
from sandbox.params import inside
from sandbox.refusals import refuse
from sandbox.store import Obj

RULES: dict[str, Any] = msgspec.json.decode((Path(__file__).parent / "rules.json").read_bytes())
CURRENCIES = frozenset(RULES.pop("currencies").split())

# Kinds of rules about one value: whether it keeps the rule, given the rule's terms.
VALUES: dict[str, Callable[..., bool]] = {
    "range": lambda call, value, low, high: low <= value and (high is None or value <= high),
    "places": lambda call, value, most: value == round(value, most),
    "longest": lambda call, value, most: len(value) <= most,
    "currency": lambda call, value: value.lower() in CURRENCIES,
    "ahead": lambda call, value, most: isinstance(value, str) or 0 < value - call.store.now <= (most or value),
}


def ruled(handler: Handler, route: str) -> Handler:
    """The handler, but it raises ApiError (400) for the first rule of its route that the parameters break."""

    def checked(call: Call) -> Obj | Page:
        for kind, path, *terms in RULES[route]:
            for param, value in found(call.params, path):
                if kind == "exists":
                    call.find(terms[0], value, param)
                elif kind == "in_status":
                    _in_status(call, *terms)
                elif kind in HASHES:
                    HASHES[kind](value, param, *terms)
                elif not VALUES[kind](call, value, *terms):
                    shown = ["unlimited" if term is None else term for term in terms]
                    raise refuse(kind, param, value=str(value)[:40], terms=shown)
        return handler(call)

    return checked if route in RULES else handler


def found(given: Any, path: str, shown: str = "") -> Iterator[tuple[str, Any]]:
    """(parameter in Stripe's brackets, value) for each value under a dotted name that was given; "" is all of it."""
    if not path:
        yield shown, given
        return
    step, _, rest = path.partition(".")
    name = step.removesuffix("[]")
    value = dict.get(given, name) if isinstance(given, dict) else None
    if value is not None and step == name:
        yield from found(value, rest, inside(shown, name))
    for at, one in enumerate(value or () if step != name else ()):
        yield from found(one, rest, f"{inside(shown, name)}[{at}]")


def _in_status(call: Call, kind: str, allowed: str, refusal: str = "status", act: str = "") -> None:
    """The object of that kind which the URL names has one of the statuses allowed; `act` is what was to be done."""
    obj, statuses = call.target(kind), allowed.split()
    if obj["status"] not in statuses:
        raise refuse(refusal, id=obj["id"], now=obj["status"], act=act, wanted=" or ".join(statuses))


def _count(given: Any, holder: str, least: int, most: int, listed: str) -> None:
    """Of the names listed between `least` and `most` are given."""
    names = listed.split()
    present = [name for name in names if name in given]
    if len(present) > most:
        raise refuse("one_of", inside(holder, present[most]), names=", ".join(names))
    if len(present) < least:
        raise refuse("none_of", inside(holder, names[0]), names=", ".join(names))


def _required(given: Any, holder: str, name: str) -> None:
    if given.get(name) in (None, "", []):
        raise refuse("missing", inside(holder, name))


def _needs(given: Any, holder: str, name: str, other: str) -> None:
    if name in given:
        _required(given, holder, other)


def _only_when(given: Any, holder: str, other: str, wanted: str, name: str) -> None:
    """`name` is given if `other` has the value wanted, and only then."""
    if (given.get(other) == wanted) != (name in given):
        raise refuse("only_when", inside(holder, name), other=other, wanted=wanted)


# Kinds of rules about what a hash holds: they get it, its name and the rule's terms.
HASHES: dict[str, Callable[..., None]] = {
    "count": _count, "required": _required, "needs": _needs, "only_when": _only_when,
}  # fmt: skip
