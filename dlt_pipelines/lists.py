"""Walking one list from its newest object to its oldest, in several stretches of `created` at once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from dlt_pipelines.client import Page, Reader
from dlt_pipelines.context import Batch
from dlt_pipelines.crew import Crew, Job
from dlt_pipelines.errors import CursorGone
from dlt_pipelines.rows import Head, Tally

# A stretch is divided only if, at the density of the page just read, it holds at least so many more pages.
WORTH_DIVIDING = 4
# Seconds before the oldest object seen in which the rest is guessed to lie, where no bound is known.
GUESS = 2 * 365 * 86_400

Pair = tuple[msgspec.Raw, Head]  # an object's exact bytes, and what is read of it


@dataclass(frozen=True)
class Stretch:
    """What is left of [since, before), unix seconds, either open.

    after: the page before the one to come; last: `created` of its oldest object; seen: its ids.
    """

    since: int | None = None
    before: int | None = None
    after: Page | None = None
    last: int | None = None
    seen: frozenset[str] = frozenset()


class Walk:
    """One list, page by page.

    read: the objects of a page with their heads, those without an id left out. handle: gets each object once.
    at_end: called when the last page was handled. is_dated: the list can be filtered by `created`.
    """

    def __init__(
        self,
        crew: Crew,
        reader: Reader,
        path: str,
        params: dict[str, Any],
        tally: Tally,
        read: Callable[[list[msgspec.Raw]], list[Pair]],
        handle: Callable[[list[Pair]], Iterable[Batch]],
        at_end: Callable[[], Iterable[Batch]],
        is_dated: bool,
    ) -> None:
        self._crew, self._reader, self._path, self._params, self._tally = crew, reader, path, params, tally
        self._read, self._handle, self._at_end, self._is_dated = read, handle, at_end, is_dated
        self._open = 0

    def start(self, since: int | None = None) -> None:
        """Begin with the newest page; what was created before `since` is left out."""
        self._add(Stretch(since=since))

    def _add(self, stretch: Stretch) -> None:
        self._open += 1
        self._crew.add(Job(self._path, lambda: self._page(stretch), lambda page: self._then(stretch, page), True))

    def _page(self, stretch: Stretch) -> Page | CursorGone | None:
        bounds = {"gte": stretch.since, "lt": stretch.before}
        created = {name: at for name, at in bounds.items() if at is not None}
        params = self._params | ({"created": created} if created else {})
        try:
            return self._reader.page(self._path, params, self._tally, after=stretch.after)
        except CursorGone as gone:
            return gone

    def _then(self, stretch: Stretch, page: Page | CursorGone | None) -> Iterator[Batch]:
        if isinstance(page, CursorGone):
            # All that the cursor could name was deleted meanwhile: take up where its second began. (A list without
            # dates begins again; what it repeats lands twice, as one and the same version.)
            before = stretch.last + 1 if self._is_dated and stretch.last is not None else None
            self._add(replace(stretch, before=before, after=None))
        elif page is not None:
            pairs = self._read(page.data)
            yield from self._handle([pair for pair in pairs if pair[1].id not in stretch.seen])
            if page.cursor:
                self._go_on(stretch, page, [head for _, head in pairs])
        self._open -= 1
        if not self._open:
            yield from self._at_end()

    def _go_on(self, stretch: Stretch, page: Page, heads: list[Head]) -> None:
        """Queue the rest of a stretch: whole, or in two halves if another worker has nothing to do."""
        first, last = heads[0], heads[-1]
        rest = replace(stretch, after=page, last=last.created, seen=frozenset(head.id for head in heads))
        middle = self._middle(stretch, first.created, last.created)
        if middle is None:
            self._add(rest)
        else:
            self._add(replace(rest, since=middle))
            self._add(Stretch(stretch.since, middle))

    def _middle(self, stretch: Stretch, newest: int | None, oldest: int | None) -> int | None:
        """Where to divide what is left of a stretch; None where that would not pay."""
        if not self._is_dated or newest is None or oldest is None or not self._crew.has_room(self._path):
            return None
        least = oldest - GUESS if stretch.since is None else stretch.since
        if oldest - least < WORTH_DIVIDING * max(newest - oldest, 1):
            return None
        return (least + oldest) // 2
