"""Stripe's clock, the only one of a load: the HTTP header Date, of which a single one may be wrong."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from dlt_pipelines.errors import BadResponse

AGREEING = timedelta(minutes=5)  # between two answers in a row
AHEAD = timedelta(hours=1)  # of the agreed clock; a sandbox's clock may stand still, so being behind is fine
ASKS = 4


class ServerClock:
    """The latest Date seen, UTC without zone. Once `agree` has set it, a Date far ahead of it is ignored."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.now = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC without zone, as in the warehouse; the first answer sets it
        self._monotonic = monotonic
        self._agreed: tuple[datetime, float] | None = None
        self._last = ""
        self._lock = threading.Lock()

    def note(self, header: str) -> bool:
        """Keep a later Date; workers may finish out of order. False when it is ignored because it is skewed.

        Raises BadResponse for a header that is no date.
        """
        if header == self._last:
            return True
        now = read_date(header)
        with self._lock:
            if self._agreed:
                agreed, at = self._agreed
                if now > agreed + timedelta(seconds=self._monotonic() - at) + AHEAD:
                    return False
            self.now = max(self.now, now)
            self._last = header
        return True

    def agree(self, ask: Callable[[], str]) -> int:
        """Begin at a clock that two answers in a row agree on; how many answers disagreed with the one before.

        ask: makes one request and returns its Date. Raises BadResponse after ASKS answers without agreement.
        """
        before = read_date(ask())
        for disagreed in range(ASKS - 1):
            now = read_date(ask())
            if abs(now - before) <= AGREEING:
                with self._lock:
                    self.now = max(now, before)
                    self._agreed, self._last = (self.now, self._monotonic()), ""
                return disagreed
            skewed, before = before, now
        raise BadResponse(
            f"Stripe's answers do not agree on the time: {skewed.isoformat()}Z, then {before.isoformat()}Z; their Date "
            "is the only clock of a load, so nothing was loaded: check for a proxy, and run the load again."
        )


def read_date(header: str | None) -> datetime:
    """A Date header as UTC without zone. Raises BadResponse when there is none, or it is no date."""
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC).replace(tzinfo=None)
    except ValueError as error:
        raise BadResponse(
            "Stripe's answer has no Date header, which is the only clock of a load; check for a proxy."
        ) from error
