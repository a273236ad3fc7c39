"""A dbt manifest as far as the publisher reads it, for build files made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dlt_pipelines.settings import Settings

Meta = dict[str, Any] | None


def describe(settings: Settings, marts: Mapping[str, Mapping[str, Meta]]) -> None:
    """Write a manifest that knows those marts: name → column → its `meta`, or None."""
    nodes = {
        f"model.meterwise.{name}": {
            "resource_type": "model",
            "schema": "marts",
            "alias": name,
            "columns": {column: {"meta": {}, "config": {"meta": meta or {}}} for column, meta in columns.items()},
        }
        for name, columns in marts.items()
    }
    settings.dbt_manifest.parent.mkdir(parents=True, exist_ok=True)
    settings.dbt_manifest.write_text(json.dumps({"nodes": nodes}))
