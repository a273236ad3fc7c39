"""API keys: who may do what. Test keys only; restricted keys (`rk_test_…`) may have permissions (stripe.md 5.4)."""

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Annotated

import msgspec

from sandbox.refusals import refuse
from sandbox.store import Store

READS = frozenset({"*_read"})
# What actions/ sends needs the first two; the others are what recommendations may come to ask for.
WRITES = "customer subscription invoice credit_note coupon quote plan billing_credit_grant billing_alert"
ACTS = READS | {f"{name}_write" for name in WRITES.split()}
KNOWN = {"rk_test_sandbox_load": READS, "rk_test_sandbox_shadow": READS, "rk_test_sandbox_act": ACTS}


class Registration(msgspec.Struct, forbid_unknown_fields=True):
    """A restricted key and all it may do."""

    key: Annotated[str, msgspec.Meta(pattern=r"^rk_test_\w+$")]
    permissions: list[Annotated[str, msgspec.Meta(pattern="^[a-z_]+_(read|write)$")]]


@dataclass(frozen=True)
class Key:
    """The caller. `permissions` is None for a key that may do everything."""

    shown: str
    permissions: frozenset[str] | None

    def demand(self, permission: str, account: str) -> None:
        """Raise ApiError (403) that names the permission, unless the key has it; `…_write` implies `…_read`."""
        enough = {permission, "*_read" if permission.endswith("_read") else "", re.sub("_read$", "_write", permission)}
        if self.permissions is not None and not enough & self.permissions:
            raise refuse("permission", key=self.shown, account=account, permission=permission)


def authenticate(store: Store, header: str) -> Key:
    """The key of an `Authorization` header (Bearer, or Basic with the key as user name); raises ApiError (401)."""
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "basic":
        try:
            value = b64decode(value).decode().partition(":")[0]
        except ValueError:
            value = ""
    # as Stripe shows it: the prefix, which tells test from live, and the last four characters
    prefix = match[0] if (match := re.match(r"[a-z]+_(test|live)_", value)) else value[:3]
    shown = prefix + "***" + (value[-4:] if len(value) > len(prefix) + 8 else "")
    if not value or scheme.lower() not in ("basic", "bearer"):
        raise refuse("no_key")
    if not re.fullmatch(r"(sk|rk)_test_\w+", value, re.ASCII):
        name = "publishable_key" if prefix.startswith("pk_") else "live_key" if "_live_" in prefix else "invalid_key"
        raise refuse(name, key=shown)
    return Key(shown, registered(store).get(value, KNOWN.get(value)) if value.startswith("rk_") else None)


def registered(store: Store) -> dict[str, frozenset[str]]:
    """Restricted key → its permissions, as POST /_sandbox/keys left them in the state."""
    return msgspec.json.decode(store.meta("keys") or "{}", type=dict[str, frozenset[str]])


def register(store: Store, given: Registration) -> None:
    """Give a restricted key its permissions, in the state."""
    kept = registered(store) | {given.key: frozenset(given.permissions)}
    with store.transaction():
        store.set_meta("keys", msgspec.json.encode(kept, order="deterministic").decode())
