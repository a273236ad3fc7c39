"""Stripe's resources, as resources.toml describes them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Filter = str | dict[str, str]


@dataclass(frozen=True)
class Resource:
    """One kind of object; the fields are explained at the head of resources.toml."""

    kind: str
    prefix: str
    permission: str
    url: str = ""
    width: int = 24
    event: str = ""
    filters: Mapping[str, Filter] = field(default_factory=dict)
    dated: bool = True
    has_updated: bool = False
    verbs: tuple[str, ...] = ("list", "retrieve")
    children: Mapping[str, str] = field(default_factory=dict)
    listed: str = "true"
    hidden: tuple[str, ...] = ()
    lists: Mapping[str, tuple[str, str]] = field(default_factory=dict)


_TABLE = tomllib.loads((Path(__file__).parent / "resources.toml").read_text())
RESOURCES = {kind: Resource(kind=kind, **fields) for kind, fields in _TABLE.items()}
HIDDEN = {kind: resource.hidden for kind, resource in RESOURCES.items() if resource.hidden}
LISTS = {(kind, name): rows for kind, resource in RESOURCES.items() for name, rows in resource.lists.items()}
