"""The rate of requests that all workers share, and how long a refused request is asked for again."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dlt_pipelines.errors import Stopped

SHARE = 0.8  # of Stripe's limits; the rest is left to whatever else uses the account
LIMITS = {True: 100.0, False: 25.0}  # requests/s per account by livemode (stripe.md 5.3)
ENDPOINT_LIMIT = 25.0  # requests/s on one path


class Budget:
    """Gives each request its moment: evenly spaced in all and per endpoint, so that no second exceeds the limit.

    A request waits for its endpoint first and takes a place among all requests only then, so that a queue at one
    endpoint holds back nobody else. rate, endpoint_rate: requests/s; None paces nothing (a server on this machine).
    """

    def __init__(
        self,
        rate: float | None,
        endpoint_rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        rates = [one for one in (rate, endpoint_rate) if one]
        self.endpoint_rate = min(rates) if rates else None  # what one endpoint gets when all others rest
        self._gap = 1 / rate if rate else 0.0
        self._endpoint_gap = 1 / endpoint_rate if endpoint_rate else 0.0
        self._free_at: dict[str, float] = {}  # path template, or "" for all → when the next request may start
        self._pauses = Counter[str]()
        self._paused_until = float("-inf")  # of the last pause of all
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._clock, self._sleep = clock, sleep or self._stopped.wait

    def wait(self, endpoint: str) -> None:
        """Return when a request to `endpoint` (a path template) may start. Raises Stopped."""
        while True:
            pauses = self._pauses[""]
            self._take(endpoint, self._endpoint_gap)
            self._take("", self._gap)
            if self._pauses[""] == pauses:
                return  # else moments of this endpoint have gathered behind the pause: they are to be spread anew

    def _take(self, name: str, gap: float) -> None:
        while True:
            with self._lock:
                now = self._clock()
                at = max(now, self._free_at.get(name, now), self._paused_until)
                self._free_at[name] = at + gap
                pauses = self._pauses[name]
            self.rest(at - now)
            if self._pauses[name] == pauses:
                return  # else a pause that began meanwhile has moved this moment: take another

    def pause(self, seconds: float, endpoint: str = "") -> None:
        """Let nobody start for `seconds`, or nobody on `endpoint`: Stripe said 429, and all workers share its limit."""
        with self._lock:
            until = self._clock() + seconds
            self._free_at[endpoint] = max(self._free_at.get(endpoint, until), until)
            self._pauses[endpoint] += 1
            if not endpoint:
                self._paused_until = self._free_at[""]

    def rest(self, seconds: float) -> None:
        """Wait, alone. Raises Stopped, also at once, when the load has been stopped."""
        if seconds > 0:
            self._sleep(seconds)
        if self._stopped.is_set():
            raise Stopped("The request was given up because the load was stopped.")

    def stop(self) -> None:
        """Wake all who wait: the load has failed or was interrupted, and nobody wants their answers."""
        self._stopped.set()


@dataclass(frozen=True)
class Patience:
    """How one request waits between its tries, in seconds: from `first`, doubling to `longest`, for `total` in all."""

    first: float
    longest: float
    total: float

    def waits(self) -> Iterator[float]:
        """The waits, each shortened by up to half at random, so that workers refused together come back one by one."""
        wait, left = self.first, self.total
        while left > 0:
            yield min(wait, left) * random.uniform(0.5, 1)  # noqa: S311 - jitter, no secret
            left -= wait
            wait = min(2 * wait, self.longest)


def budget_for(is_live: bool, is_local: bool, share: float = SHARE) -> Budget:
    """`share` (0 to 1) of Stripe's limits for the key's mode; no pacing against a loopback server."""
    if is_local:
        return Budget(None)
    return Budget(share * LIMITS[is_live], share * ENDPOINT_LIMIT)


def patience_for(is_local: bool) -> Patience:
    """About two minutes for Stripe, to get over a short outage; a server on this machine is there at once or not."""
    return Patience(0.01, 0.5, 6.0) if is_local else Patience(0.5, 30.0, 160.0)
