"""Fingerprints: canonical JSON, hashes, action ids, idempotency keys, event ids."""

import hashlib
import json
import secrets
import unicodedata
from typing import Any

HASH_VERSION = "h1:"  # a later algorithm gets h2:, so old chains keep verifying by their own rule
KEY_VERSION = "mw1-"


def canon(value: Any) -> str:
    """Canonical JSON: sorted keys, no spaces, NFC text.

    Raises ValueError on a float: money is integer minor units, and two machines may print one float two ways.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {unicodedata.normalize("NFC", str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise ValueError(f"canonical JSON holds text, integers, booleans, lists and objects, not {type(value).__name__}")


def digest(text: str) -> str:
    """`h1:` and the sha256 of `text` in hex."""
    return HASH_VERSION + hashlib.sha256(text.encode()).hexdigest()


def action_id(recommendation_id: str, plan_hash: str) -> str:
    """The recommendation's id and the first 8 digits of the plan's hash: another plan is another action."""
    return f"{recommendation_id}-{plan_hash.removeprefix(HASH_VERSION)[:8]}"


def idempotency_key(account_id: str, livemode: bool, action: str, step: int, attempt: int) -> str:
    """Stripe's Idempotency-Key, 68 characters (the limit is 255).

    A function of what is done and nothing else, so that a ledger restored from a backup derives the same keys.
    """
    mode = "live" if livemode else "test"
    text = "|".join([account_id, mode, action, str(step), str(attempt)])
    return KEY_VERSION + hashlib.sha256(text.encode()).hexdigest()


def event_id(at_us: int) -> str:
    """A UUID version 7 of that moment (RFC 9562): sorts by time."""
    milliseconds = (at_us // 1_000) & ((1 << 48) - 1)
    bits = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    text = f"{bits:032x}"
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])
