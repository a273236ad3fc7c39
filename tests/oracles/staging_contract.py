"""The columns of docs/staging-contract.md, written from the YAML of the staging models.

Run `python -m tests.oracles.staging_contract` to write the page's tables anew after a model changed.
"""

from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped] # the types are a package of their own

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "dbt_project" / "models" / "staging" / "stripe"
PAGE = ROOT / "docs" / "staging-contract.md"
MARK = "change it there. -->\n"
# Files of models, in the order of the page, and their headings.
ROOMS = {
    "customers": "Customers and their credit",
    "catalogue": "Catalogue",
    "subscriptions": "Subscriptions and quotes",
    "invoices": "Invoices and credit notes",
    "payments": "Payments",
    "usage": "Metered usage",
    "loads": "Events, loads and history",
}


def rooms() -> dict[str, list[dict[str, Any]]]:
    """Each file of models: what its YAML says of them, in its order. A file that ROOMS does not name comes last."""
    names = {path.stem.removeprefix("_stripe__") for path in MODELS.glob("_stripe__*.yml")} - {"sources"}
    ordered = [*ROOMS, *sorted(names - ROOMS.keys())]
    return {name: read(MODELS / f"_stripe__{name}.yml")["models"] for name in ordered}


def read(path: Path) -> dict[str, Any]:
    """What a YAML file of dbt's says."""
    return dict(yaml.safe_load(path.read_text()))


def tables() -> str:
    """The generated part of the page: a heading per file, and per model its grain, key and columns."""
    parts = []
    for name, models in rooms().items():
        parts.append(f"## {ROOMS.get(name, name.title())}\n")
        parts += [_table(model) for model in models]
    return "\n" + "\n".join(parts)


def _table(model: dict[str, Any]) -> str:
    lines = [f"### {model['name']}", "", model["description"].strip() + _key(model), ""]
    lines += ["| column | type | meaning |", "|---|---|---|"]
    lines += [
        f"| `{column['name']}` | {column['data_type']} | {' '.join(column['description'].split())} |"
        for column in model["columns"]
    ]
    return "\n".join(lines) + "\n"


def _key(model: dict[str, Any]) -> str:
    for test in model.get("data_tests", []):
        if isinstance(test, dict) and "is_key" in test:
            return f" Key: {', '.join(f'`{name}`' for name in test['is_key']['arguments']['columns'])}."
    return " No key: a view of all that was read."


def page() -> str:
    """The whole page as it should be: what a person wrote up to MARK, then the tables."""
    written, mark, _ = PAGE.read_text().partition(MARK)
    return written + mark + tables()


if __name__ == "__main__":
    PAGE.write_text(page())
