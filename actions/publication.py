"""The published warehouse: whose it is, its day, its recommendations, and which invoices it explains."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from actions.clock import Clock
from actions.errors import BadRecommendation, Locked, NotPublished, UnknownAction

OPEN_TRIES, OPEN_WAIT_S = 5, 7.5  # 30 s in all (actions.md R10): a publication replaces the file within one second
MOST_ROWS = 10_000  # more than people can decide on: a fault of the warehouse
# What is in the file can reach nothing outside it.
_SAFE: dict[str, Any] = {"enable_external_access": "false", "lock_configuration": "true"}
_HEAD, _ROWS = Path(__file__).with_name("publication.sql").read_text().split(";\n", 1)


@dataclass(frozen=True)
class Publication:
    """The published warehouse: whose it is, its last covered UTC day, how many customers it has, and its
    recommendations, best first.
    """

    run_id: str
    as_of: date
    account_id: str
    livemode: bool
    customers: int
    recommendations: list[dict[str, Any]]

    @property
    def now(self) -> datetime:
        """The warehouse's time: recommendations expire by it, the wall clock may be years away from it."""
        return datetime(self.as_of.year, self.as_of.month, self.as_of.day, tzinfo=UTC)


def read_publication(path: Path, clock: Clock) -> Publication:
    """Raises NotPublished without a published file, Locked when another process keeps writing it, BadRecommendation
    when it holds more recommendations than any one day can have.
    """
    import duckdb

    if not path.exists():
        raise NotPublished(f"{path} does not exist; run `make run` first")
    for left in reversed(range(OPEN_TRIES)):
        try:
            with duckdb.connect(str(path), read_only=True, config=_SAFE) as db:
                head = db.execute(_HEAD).fetchone()
                found = db.execute(_ROWS, [MOST_ROWS + 1])
                names = [column[0] for column in found.description or []]
                rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
            break
        except duckdb.Error as error:
            if "lock" not in str(error):
                raise NotPublished(f"{path} cannot be read ({str(error)[:200]}); run `make run` again") from error
            if not left:
                holder = re.search(r"PID \d+", str(error))
                raise Locked(f"{path} is held by {holder[0] if holder else 'another process'}; try again") from error
            clock.sleep(OPEN_WAIT_S)
    if head is None:
        raise NotPublished(f"{path} was never published completely; run `make run` first")
    if len(rows) > MOST_ROWS:
        raise BadRecommendation(f"{path} holds over {MOST_ROWS} recommendations; find out why, then run `make run`")
    return Publication(str(head[0]), head[1], str(head[2]), bool(head[3]), int(head[4]), rows)


def check_explained(path: Path, invoice_id: str) -> None:
    """Raises UnknownAction where the published file explains invoices, and not this one: a review of a mistyped id
    would be counted as one. Without such a file nothing is said: a person's word is worth more than the check.
    """
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True, config=_SAFE) as db:
            found = db.execute(
                "SELECT count(*) FILTER (invoice_id = ?), count(*) FROM marts.invoice_explanations", [invoice_id]
            ).fetchone()
    except duckdb.Error:
        return
    if found and found[1] and not found[0]:
        raise UnknownAction(
            f"no explanation of an invoice {invoice_id[:40]!r} is in {path}, so there is nothing to review; "
            "`python -m dlt_pipelines why CUSTOMER` has the id below the text"
        )
