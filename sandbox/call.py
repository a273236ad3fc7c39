"""One request, as the module that answers it sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.errors import missing
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.store import Obj, Store

NOUNS = {"billing.meter": "billing meter", "billing.credit_grant": "billing credit grant"}  # others: the kind, spaced


@dataclass(frozen=True)
class Call:
    """path: the ids in the URL by name. params: validated and typed; "" stands for "clear"."""

    store: Store
    path: dict[str, str]
    params: Given

    def target(self, kind: str, name: str = "id") -> Obj:
        """The live object that the URL names. Raises ApiError 404; for a deleted one as well."""
        found = self.store.find(kind, self.path[name])
        if found is None or found.get("deleted"):
            raise missing(noun(kind), self.path[name])
        return found

    def find(self, kind: str, identifier: Any, param: str) -> Obj:
        """The live object that a parameter names. Raises ApiError 400 with that param."""
        found = self.store.find(kind, identifier) if isinstance(identifier, str) else None
        if found is None or found.get("deleted"):
            raise missing(noun(kind), identifier, param, 400)
        return found


def noun(kind: str) -> str:
    """How Stripe's messages call a kind."""
    return NOUNS.get(kind) or kind.removeprefix("billing.").removeprefix("test_helpers.").replace("_", " ")


@dataclass(frozen=True)
class Page:
    """One page of a list: JSON texts as they are stored, or objects. `more` holds further keys of the envelope."""

    kind: str
    url: str
    rows: Sequence[str | Obj]
    has_more: bool
    more: Obj = field(default_factory=dict)


Handler = Callable[[Call], Obj | Page]


def merge_metadata(old: dict[str, str] | None, given: Any) -> dict[str, str]:
    """Stripe's merge: sent keys change, an empty value deletes its key, an empty string deletes all."""
    if given == "":
        return {}
    merged = dict(old or {})
    for key in given:
        value = given[key]
        if len(key) > 40 or len(value) > 500:
            raise refuse("metadata_long", f"metadata[{key}]")
        if value == "":
            merged.pop(key, None)
        else:
            merged[key] = value
    if len(merged) > 50:
        raise refuse("metadata_many", "metadata")
    return merged


def plain_value(value: Any) -> Any:
    """A parameter as JSON would hold it."""
    if isinstance(value, dict):
        return {key: plain_value(value[key]) for key in value}
    if isinstance(value, list):
        return [plain_value(one) for one in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return None if value == "" else value
