"""What every reader of one load shares."""

import sys
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from dlt_pipelines.client import Reader
from dlt_pipelines.config import Config
from dlt_pipelines.errors import OtherAccount
from dlt_pipelines.landed import Landed
from dlt_pipelines.progress import Progress
from dlt_pipelines.rows import Head, Tally, seconds_of
from dlt_pipelines.state import Cursors
from dlt_pipelines.warehouse import Warehouse, mode

Batch = tuple[str, pa.Table]  # table name, rows to append


@dataclass
class Load:
    """One load: whose data, from where, what has landed, and what it did so far.

    started_at: Stripe's clock at its begin, UTC without zone.
    stamp: loaded_at and first_seen_at of everything this load appends, UTC: the server's clock, moved on by a
        microsecond where an earlier load has the same, so that the order of versions is never a tie.
    cursors: what the last finished load left. progress: what people are told meanwhile.
    """

    reader: Reader
    warehouse: Warehouse
    account_id: str
    is_live: bool
    started_at: datetime
    stamp: datetime
    config: Config
    cursors: Cursors
    progress: Progress = field(default_factory=lambda: Progress(sys.stderr, is_quiet=True))
    tallies: dict[str, Tally] = field(default_factory=dict)

    @property
    def started_second(self) -> int:
        """`started_at` as unix seconds."""
        return seconds_of(self.started_at)

    def say(self, line: str) -> None:
        """Tell people a line."""
        self.progress.said(line)

    def tally(self, table: str) -> Tally:
        """The counts of one table, begun at zero."""
        return self.tallies.setdefault(table, Tally())

    def landed(self, table: str) -> Landed:
        """Questions about what landed of one table."""
        return Landed(self.warehouse, table, self.cursors.stamp)

    def check_mode(self, head: Head) -> None:
        """Raises OtherAccount when the object's mode is not the key's."""
        if head.livemode is not None and head.livemode != self.is_live:
            raise OtherAccount(
                f"{head.id} is of {mode(head.livemode)} and the key is for {mode(self.is_live)}; "
                "check STRIPE_API_BASE: one warehouse holds one mode only."
            )
