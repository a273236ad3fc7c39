"""dbt's parse of the project, moved to where a test needs it: a parse of all files takes ten seconds, a move none.

dbt keeps what it parsed beside the state (dbt/partial_parse.msgpack) and parses again whatever file has changed since.
It also parses everything again where the state folder has another path: so each test's folder would cost a whole parse.
"""

from __future__ import annotations

import hashlib
import pprint
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgpack  # dbt's own

NAME = "partial_parse.msgpack"
# `make lint` parses the project, and `make test` lints first.
LINTED = Path(__file__).resolve().parent.parent / "build" / "manifest" / NAME
# What dbt hashes of the connection (DuckDBCredentials.connection_info) besides the path. Where it differs, dbt parses.
CONNECTION = {
    "attach": None,
    "config_options": None,
    "database": "warehouse",
    "disable_transactions": False,
    "extensions": None,
    "external_root": ".",
    "filesystems": None,
    "plugins": None,
    "remote": None,
    "schema": "main",
    "settings": {"memory_limit": "1500MB", "preserve_insertion_order": False},
    "use_credential_provider": None,
}


def hand_on(data: Path, variables: Mapping[str, str] = MappingProxyType({})) -> None:
    """Give a state folder the parse that it was copied with, else the one of `make lint`, as if made there.

    variables: dbt's --vars of the call to come. Of these only as_of is no part of what is parsed: SQL and hooks read it
    when they run.
    """
    kept = data / "dbt" / NAME
    source = kept if kept.exists() else LINTED
    if not source.exists() or not set(variables) <= {"as_of"}:
        return
    parsed = msgpack.unpackb(source.read_bytes(), strict_map_key=False)
    made_at = parsed["env_vars"].get("METERWISE_DATA", str(data))
    if "'" in f"{made_at}{data}":  # the path also stands inside SQL texts, where a quote in it is written twice
        return
    moved = _moved(parsed, made_at, str(data))
    known = moved["state_check"]
    known["profile_hash"]["checksum"] = _sha256(
        pprint.pformat(sorted({**CONNECTION, "path": f"{data}/warehouse.duckdb"}.items()))
    )
    known["vars_hash"]["checksum"] = _sha256(
        "\0".join((pprint.pformat(dict(variables)), "", "", moved["metadata"]["dbt_version"]))
    )
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(msgpack.packb(moved))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _moved(value: Any, old: str, new: str) -> Any:
    """The same value with one path instead of another in every text of it."""
    if isinstance(value, str):
        return new if value == old else value.replace(f"{old}/", f"{new}/")
    if isinstance(value, dict):
        return {key: _moved(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_moved(each, old, new) for each in value]
    return value
