"""The rate of requests that all workers share."""

import threading
import time
from collections.abc import Callable

SHARE = 0.8  # of Stripe's limits; the rest is left to whatever else uses the account
LIMITS = {True: 100.0, False: 25.0}  # requests/s per account by livemode (stripe.md 5.3)
ENDPOINT_LIMIT = 25.0  # requests/s on one path


class Budget:
    """Gives each request its moment: evenly spaced in all and per endpoint, so that no second exceeds the limit.

    rate, endpoint_rate: requests/s; None paces nothing (a server on this machine).
    """

    def __init__(
        self,
        rate: float | None,
        endpoint_rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gaps = {"": 1 / rate if rate else 0.0}
        self._endpoint_gap = 1 / endpoint_rate if endpoint_rate else 0.0
        self._free_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self._clock, self._sleep = clock, sleep

    def wait(self, endpoint: str) -> None:
        """Return when a request to `endpoint` (a path template) may start."""
        with self._lock:
            now = self._clock()
            at = max(now, self._free_at.get("", now), self._free_at.get(endpoint, now))
            self._free_at[""] = at + self._gaps[""]
            self._free_at[endpoint] = at + self._endpoint_gap
        if at > now:
            self._sleep(at - now)

    def pause(self, seconds: float) -> None:
        """Let nobody start for `seconds`: Stripe said 429, and all workers share its limit."""
        with self._lock:
            until = self._clock() + seconds
            self._free_at[""] = max(self._free_at.get("", until), until)


def budget_for(is_live: bool, is_local: bool) -> Budget:
    """80 % of Stripe's limits for the key's mode; no pacing against a loopback server."""
    if is_local:
        return Budget(None)
    return Budget(SHARE * LIMITS[is_live], SHARE * ENDPOINT_LIMIT)
