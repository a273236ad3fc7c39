"""Stripe's resources, as resources.toml describes them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Resource:
    """One kind of object; the fields are explained at the head of resources.toml."""

    kind: str
    prefix: str
    permission: str
    url: str | None = None
    width: int = 24
    event: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    dated: bool = True
    has_updated: bool = False
    verbs: tuple[str, ...] = ("list", "retrieve")
    children: Mapping[str, str] = field(default_factory=dict)


_TABLE = tomllib.loads((Path(__file__).parent / "resources.toml").read_text())
RESOURCES = {kind: Resource(kind=kind, **fields) for kind, fields in _TABLE.items()}
