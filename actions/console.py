"""What every command shares: --json, one sentence and an exit code per refusal, and the filter over all output."""

import functools
import json
import os
import pwd
import sqlite3
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import click

from actions import screen
from actions.clock import Clock
from actions.errors import ActionError, Breach, Locked, NothingToDo, Refused, Undecided
from actions.ledger import Ledger
from actions.port import StripeReader, StripeWriter, check_key
from actions.settings import KEYS, Settings, read_settings
from actions.state import Action, Actor, find, load, overview, short_ids
from actions.text import redact, safe_text

EXIT_CODES = {NothingToDo: 3, Locked: 4, Undecided: 5, Refused: 6, Breach: 7}
WORST_FIRST = (7, 5, 1, 6, 4, 3, 0)  # an unknown outcome outweighs a known failure, that one a refusal


@dataclass
class Console:
    """One command's surroundings: what the environment says, and what it has to tell: text at once, or one JSON."""

    is_json: bool
    data: dict[str, Any] = field(default_factory=dict)
    exit_code: int = 0

    def say(self, text: str, **data: Any) -> None:
        """Prints `text`, or keeps `data` for the JSON document."""
        self.data |= data
        if not self.is_json:
            click.echo(redact(text))

    def end(self, code: int) -> None:
        """The worst end of several decides the exit code."""
        self.exit_code = min(code, self.exit_code, key=WORST_FIRST.index)

    def fail(self, error: Exception) -> None:
        """One sentence on stderr (and in the JSON document); the error's family decides the exit code."""
        self.end(next((code for family, code in EXIT_CODES.items() if isinstance(error, family)), 1))
        way_on = "" if isinstance(error, ActionError) else "; look at the state folder (METERWISE_DATA), then run again"
        words = redact(safe_text(f"{error}{way_on}", limit=1_000))
        self.data["error"] = {"name": type(error).__name__, "message": words}
        click.echo(words, err=True)

    @functools.cached_property
    def settings(self) -> Settings:
        found = read_settings(os.environ)
        os.environ.pop("STRIPE_LOG", None)  # before the SDK is imported, which would print customers' data
        return found

    @functools.cached_property
    def ledger(self) -> Ledger:
        """For commands that decide or act: a damaged ledger is refused."""
        return Ledger(self.settings.ledger, self.settings.head, Clock())

    def reading(self) -> Ledger:
        """For commands that only look: a damaged ledger is shown, and said to be one (exit 7)."""
        self.ledger = Ledger(self.settings.ledger, self.settings.head, Clock(), despite_damage=True)
        if self.ledger.damage:
            self.fail(self.ledger.damage)
        return self.ledger

    def connect(self, is_sending: bool, is_live_asked: bool) -> tuple[StripeReader, bool]:
        """The way to Stripe, and whether it leads to a live account. Raises LiveKeyRefused."""
        key = self.settings.actions_key if is_sending else self.settings.shadow_key
        is_live = check_key(key, KEYS["act" if is_sending else "shadow"], is_live_asked, self.settings)
        return (StripeWriter if is_sending else StripeReader)(key, self.settings, self.ledger.clock), is_live

    @property
    def actor(self) -> Actor:
        """Whoever the operating system says runs this; nothing on the command line changes it (actions.md R18)."""
        with suppress(KeyError):  # a container may run as a number that has no name
            return Actor(pwd.getpwuid(os.getuid()).pw_name, "os_user", os.getuid())
        return Actor(f"uid {os.getuid()}", "os_user", os.getuid())

    def named(self, prefixes: Iterable[str]) -> list[str]:
        """Ids of the actions whose ids begin so, each once. Raises UnknownAction."""
        actions = overview(self.ledger)
        return list(dict.fromkeys(find(actions, prefix).action_id for prefix in prefixes))

    def one(self, prefix: str) -> Action:
        """That action, with all its events. Raises UnknownAction."""
        return load(self.ledger, *self.named([prefix]))

    def tell(self, actions: list[Action]) -> None:
        """A line each."""
        facts = [screen.facts(action) for action in actions]
        self.say(screen.listing(actions, short_ids(overview(self.ledger))), actions=facts)

    def present(self, action: Action, row: dict[str, Any]) -> None:
        """The screen to decide on; row: what is known of it beside the ledger."""
        self.say(screen.everything(action, row), action=screen.facts(action), published=row)


@click.group()
def cli() -> None:
    """Carry out recommendations that a person approved, once each.

    \b
    Exit codes:
      0  done
      1  failed: the sentence says what next
      2  the command was not understood: see --help
      3  nothing to do
      4  locked by another process, which is named: wait for it
      5  the outcome is unknown, or an action is blocked: run apply again; if it stays so, see status
      6  refused (stale, policy, account, halted): correct what the sentence names, plan again
      7  the ledger is not what was written: audit verify says where; docs/actions.md has the way back
    """


def command(group: click.Group = cli) -> Callable[[Callable[..., None]], click.Command]:
    """Makes a function over a Console a command of `group`, with --json, exit codes and the output filter."""

    def wrap(function: Callable[..., None]) -> click.Command:
        @group.command()
        @click.option("--json", "is_json", is_flag=True, help="One JSON document instead of text.")
        @functools.wraps(function)
        def run(is_json: bool, **given: Any) -> None:
            os.umask(0o077)  # the ledger is nobody else's to read
            console = Console(is_json)
            try:
                function(console, **given)
            except (click.ClickException, BrokenPipeError):
                raise  # click has a word for the first, and none for `log | head`
            except (ActionError, OSError, sqlite3.Error) as error:
                console.fail(error)
            except Exception:  # a fault of ours: shown whole, but through the filter
                click.echo(redact(traceback.format_exc()), err=True)
                console.end(1)
            if is_json:
                click.echo(redact(json.dumps(console.data | {"exit_code": console.exit_code}, indent=2, default=str)))
            raise SystemExit(console.exit_code)

        return run

    return wrap


def clean_text(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    """A person's words go into the ledger for good: no control characters, no keys, no e-mail addresses."""
    cleaned = None if given is None else redact(safe_text(given, limit=1_000)).strip()
    if cleaned == "":
        raise click.BadParameter("it is empty; say it in words")
    return cleaned


def reason_option(required: bool = True) -> Callable[..., Any]:
    told = "Why, in a sentence; kept for good, so name no person."
    return click.option("--reason", required=required, callback=clean_text, help=told)


live_option = click.option("--live", is_flag=True, help="Allow a live key; METERWISE_LIVE=1 is needed as well.")
id_argument, ids_argument = click.argument("action_id"), click.argument("action_ids", nargs=-1, required=True)
