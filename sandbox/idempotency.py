"""Idempotency keys (stripe.md 5.1): the first result of an execution is kept and replayed byte for byte.

The sandbox is one account, so a key's scope is the state file.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from sandbox.clock import DAY
from sandbox.forms import Params
from sandbox.refusals import refuse
from sandbox.store import Store

LIFE = DAY  # of the sandbox's time; Stripe may forget a key once it is that old
LONGEST = 255  # characters
Result = tuple[int, bytes, str]  # status, body, id of the request that was executed


class Keys:
    """The keys of one server: those whose request is running, and the stored results."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.running: set[str] = set()

    @contextmanager
    def claim(self, key: str | None) -> Iterator[None]:
        """Hold a key while its request is executed; raises ApiError, 409 if another request holds it."""
        if key is None:
            yield
            return
        if not 0 < len(key) <= LONGEST:
            raise refuse("key_length", longest=LONGEST, length=len(key))
        if key in self.running:
            raise refuse("key_in_use", key=key)
        self.running.add(key)
        try:
            yield
        finally:
            self.running.discard(key)

    def find(self, key: str, path: str, params: Params) -> Result | None:
        """The stored result of a key; raises ApiError (400) if it was used for another path or other parameters."""
        sql = "select fingerprint, status, body, request from idempotency where key = ? and created > ?"
        row = self.store.db.execute(sql, (key, self.store.account_now - LIFE)).fetchone()
        if row is None:
            return None
        digest, _, first = row[0].partition(" ")
        if first != path:
            raise refuse("key_of_other_endpoint", key=key, path=path, first=first)
        if digest != _digest(params):
            raise refuse("key_of_other_parameters", key=key)
        return row[1], row[2], row[3]

    def keep(self, key: str | None, path: str, params: Params, result: Result) -> None:
        """Store a result (but never a 429), inside the caller's transaction; keys that are too old are forgotten."""
        now, run = self.store.account_now, self.store.db.execute
        if key is None or result[0] == 429:
            return
        run("delete from idempotency where created <= ?", (now - LIFE,))
        sql = "insert or replace into idempotency (key, fingerprint, created, status, body, request)"
        run(f"{sql} values (?, ?, ?, ?, ?, ?)", (key, f"{_digest(params)} {path}", now, *result))


def _digest(params: Params) -> str:
    return hashlib.sha256(msgspec.json.encode(params, order="sorted")).hexdigest()
