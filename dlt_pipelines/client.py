"""A thin reader over the Stripe SDK's raw requests: pages as bytes, no object per row, and no answer lost."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from dlt_pipelines.answers import AnyObject, Broken, Listed, Page, Shape, is_nowhere, is_passing, refusal, whole
from dlt_pipelines.budget import SHARE, Budget, Patience, budget_for, patience_for
from dlt_pipelines.clock import ServerClock, read_date
from dlt_pipelines.errors import AccessDenied, BadResponse, CursorGone
from dlt_pipelines.rows import Tally
from dlt_pipelines.settings import Settings
from dlt_pipelines.stripe_api import ACCOUNT, PAGE

if TYPE_CHECKING:
    import stripe

__all__ = ["Page", "Reader"]

REASKS = 3  # of an answer that is cut, no JSON, or leads back: a second one is nearly always whole
FIRST_TRIES = 5  # to reach a server that has not answered yet: a wrong address or no network is told in seconds
WORKERS = 16


class Reader:
    """Reads one Stripe account; any number of threads may ask at once.

    share: of Stripe's rate limits. workers: how many threads keep a connection each.
    `server_now` is the only clock of a load: the HTTP Date header, UTC, no zone.
    """

    def __init__(
        self,
        settings: Settings,
        share: float = SHARE,
        workers: int = WORKERS,
        budget: Budget | None = None,
        patience: Patience | None = None,
    ) -> None:
        from dlt_pipelines.transport import connect  # here because the SDK takes a third of a second

        self._settings, self._share, self._workers = settings, share, workers
        self._budget = budget or budget_for(settings.is_live, settings.is_local, share)
        self._patience = patience or patience_for(settings.is_local)
        self._clock, self._is_heard = ServerClock(), False
        self._client, self._kept = connect(settings, workers)

    @property
    def server_now(self) -> datetime:
        """The latest time Stripe told."""
        return self._clock.now

    def get(self, path: str, params: dict[str, Any], tally: Tally, of: str = "") -> bytes | None:
        """The body of one GET, a whole JSON object as sent; None when it, or what a parameter names, does not exist.

        path: a template of stripe_api, whose {id} becomes `of`. Raises AccessDenied for 401, PermissionMissing for
        403, RequestRefused for 400 and the like, StripeUnreachable when all tries are used up, BadResponse for what
        is no JSON object, Stopped after `stop`.
        """
        answer = self._ask(path, params, tally, of, AnyObject)
        return answer[0] if answer else None

    def page(
        self, path: str, params: dict[str, Any], tally: Tally, of: str = "", after: Page | None = None
    ) -> Page | None:
        """The page of a list that follows `after` (None: the first page); None when its parent does not exist.

        Raises as `get` does; also BadResponse when the list would never end, because the page leads back to where
        the walk has been, and CursorGone when every object of `after` has been deleted meanwhile.
        """
        if after and after.cursor:
            after.used.add(after.cursor)
        for again in range(REASKS + 1):
            answer = self._listed(path, {"limit": PAGE, **params}, tally, of, after, is_again=again > 0)
            if answer is None:
                return None
            page = Page(answer[1], after)
            if page.leads_on():
                return page
            tally.note("repeated_cursor", path)
        raise BadResponse(
            f"{path} says there is more after {page.cursor or 'a page without ids'} again, so its list would never "
            "end; run the load again, and tell Stripe if it repeats."
        )

    def pages(self, path: str, params: dict[str, Any], tally: Tally, of: str = "") -> Iterator[list[msgspec.Raw]]:
        """Every page of a list, newest first, each a list of objects as exact bytes; none without the parent."""
        page = self.page(path, params, tally, of)
        while page:
            if page.data:
                yield page.data
            page = self.page(path, params, tally, of, after=page) if page.has_more else None

    def entries(self, path: str, params: dict[str, Any], tally: Tally, of: str = "") -> list[msgspec.Raw] | None:
        """A whole list, newest first; None when its parent does not exist, or ceases to while the list is read.

        It is begun again when all objects of a page are deleted before the next one is asked for.
        """
        for begun in range(REASKS + 1):
            found: list[msgspec.Raw] = []
            page: Page | None = None
            try:
                while (page := self.page(path, params, tally, of, after=page)) is not None:
                    found += page.data
                    if not page.has_more:
                        return found
                return None
            except CursorGone:
                if begun == REASKS:
                    raise
        return None

    def agree_clock(self, tally: Tally) -> bytes:
        """Set the clock, from two answers in a row that agree; the account, as sent.

        Raises AccessDenied when there is no account, BadResponse when four answers do not agree.
        """
        account = b""

        def ask() -> str:
            nonlocal account
            body = self.get(ACCOUNT.path, {}, tally)
            if body is None:
                raise AccessDenied(
                    f"{ACCOUNT.path} answered 404, so it is unknown whose data this is; check STRIPE_API_BASE."
                )
            account = body
            return self._kept.date

        for _ in range(self._clock.agree(ask)):
            tally.note("skewed_clock", ACCOUNT.path)
        return account

    def stop(self) -> None:
        """Wake all workers that wait for their turn or another try, and let no request begin: they raise Stopped."""
        self._budget.stop()

    def again(self) -> "Reader":
        """A reader of the same account for after `stop`, with a clock of its own."""
        return Reader(self._settings, self._share, self._workers, patience=self._patience)

    def rate(self, path: str) -> float | None:
        """The most requests a second that `path` is asked, the same for all of them; None where nothing is paced."""
        return self._budget.endpoint_rate

    def _listed(
        self, path: str, params: dict[str, Any], tally: Tally, of: str, after: Page | None, is_again: bool
    ) -> tuple[bytes, Listed] | None:
        """One page as sent. Where the last object of `after` is gone, the one before it marks the same place."""
        if after is None:
            return self._ask(path, params, tally, of, Listed, is_again)
        gone: CursorGone | None = None
        for cursor in after.ids_back():
            try:
                return self._ask(path, {**params, "starting_after": cursor}, tally, of, Listed, is_again)
            except CursorGone as error:
                gone, is_again = error, True
                tally.note("cursor_gone", path)
        raise gone or BadResponse(f"{path} has no object to go on after; run the load again.")

    def _ask(
        self, path: str, params: dict[str, Any], tally: Tally, of: str, shape: type[Shape], is_again: bool = False
    ) -> tuple[bytes, Shape] | None:
        """One answer, asked for until it is whole: its body and the same as `shape`; None for what does not exist."""
        import stripe

        waits, cut, lost = self._patience.waits(), 0, 0
        while True:
            self._budget.wait(path)
            tally.asked(retries=int(is_again))
            is_again = True
            try:
                answer = self._client.raw_request("get", path.replace("{id}", quote(of, safe="")), **params)
            except stripe.StripeError as error:
                self._is_heard |= error.http_status is not None
                if self._kept.is_cut:
                    problem = "truncated_body"
                elif is_passing(error):
                    lost += 1
                    wait = next(waits, None)
                    if wait is None or (lost == FIRST_TRIES and not self._is_heard):
                        raise refusal(path, error) from error
                    self._wait(path, wait, error)
                    continue
                elif is_nowhere(error):
                    return None
                else:
                    raise refusal(path, error) from error
            else:
                self._is_heard = True
                self._note_date(answer.headers.get("Date"), path, tally)
                body, self._kept.body = self._kept.body, b""  # an idle worker must not keep megabytes
                try:
                    return body, whole(body, shape, path)
                except Broken as error:
                    problem = str(error)
            tally.note(problem, path)
            cut += 1
            if cut > REASKS:
                said = "an answer that is not JSON" if problem == "not_json" else "an answer that is cut off"
                raise BadResponse(
                    f"{path} gave {said} {cut} times in a row; nothing of it was landed: "
                    "check STRIPE_API_BASE and any proxy, and run the load again."
                )
            self._budget.rest(next(waits, 0.0))

    def _wait(self, path: str, seconds: float, error: "stripe.StripeError") -> None:
        """Before another try: all after 429, since they share the limit (unless it is the endpoint's); else alone."""
        if error.http_status != 429:
            self._budget.rest(seconds)
            return
        limiter = str((error.headers or {}).get("Stripe-Rate-Limited-Reason", ""))
        self._budget.pause(seconds, path if limiter.startswith(("endpoint", "resource")) else "")

    def _note_date(self, header: str | None, path: str, tally: Tally) -> None:
        """Keep the clock; raises BadResponse for an answer without a Date."""
        self._kept.date = header or ""
        if header is None:
            read_date(header)
        elif not self._clock.note(header):
            tally.note("skewed_clock", path)
