"""README's commands, in README's order: the loop from a recommendation to the next invoice and its outcome."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

from tests.commands import run
from tests.end_to_end.tables import published
from tests.test_docs import readme_commands


def test_what_readme_says_can_be_typed_and_closes_the_loop(
    first_run: tuple[Path, str], copy_of: Callable[[Path], Path]
) -> None:
    data = copy_of(first_run[0])
    upgrade, price = first_upgrade(data)
    credit = first_credit(data)
    spike = first_spike(data)

    commands = readme_commands()
    assert commands[:2] == ["make run", "make test"]  # the first made first_run, the second is what is running
    for command in commands[2:]:
        words = [word.replace("data/", f"{data}/") for word in shlex.split(command)]
        for wanted in (upgrade, credit) if "ID=…" in words else ("",):
            done = run(
                [spike.get(word.partition("=")[0], f"ID={wanted}" if word == "ID=…" else word) for word in words], data
            )
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    outcomes = {
        recommendation: (is_price_invoiced, is_credit_applied, subscription)
        for recommendation, is_price_invoiced, is_credit_applied, subscription in published(
            data,
            "select recommendation_id, is_price_invoiced, is_credit_applied, subscription_id "
            "from marts.action_outcomes",
        )
    }
    assert outcomes[upgrade][0] is True
    assert outcomes[credit][1] is True
    ((lines,),) = published(
        data,
        "select count(*) from marts.fct_invoice_lines as lines "
        "inner join marts.fct_invoices as invoices using (account_id, invoice_id) "
        "where lines.price_id = ? and lines.subscription_id = ? and invoices.created_at > timestamp '2026-11-01 06:00'",
        price,
        outcomes[upgrade][2],
    )
    assert lines >= 1, "the next invoice does not carry the new price"

    audited = published(data, "select kind from marts.action_audit where recommendation_id = ? order by seq", upgrade)
    assert [kind for (kind,) in audited] == ["planned", "approved", "shadowed", "intent", "attempt", "outcome"]
    assert upgrade not in {row[0] for row in published(data, "select recommendation_id from marts.recommendations")}


def first_upgrade(data: Path) -> tuple[str, str]:
    """The most valuable upgrade's id, and the first price its subscription would move to."""
    ((recommendation_id, params),) = published(
        data,
        "select recommendation_id, params from marts.recommendations where kind = 'tier_upgrade' and not is_held_back "
        "order by expected_value_minor desc, recommendation_id limit 1",
    )
    return recommendation_id, json.loads(params)["items"][0]["price"]


def first_credit(data: Path) -> str:
    """The largest credit's id."""
    ((recommendation_id,),) = published(
        data,
        "select recommendation_id from marts.recommendations where kind = 'courtesy_credit' "
        "order by amount_minor desc, recommendation_id limit 1",
    )
    return str(recommendation_id)


def first_spike(data: Path) -> dict[str, str]:
    """A customer and a day that an incident is about, as README's words `CUSTOMER=…` and `DAY=…`."""
    ((customer, day),) = published(
        data,
        "select customer_id, started_on from marts.usage_anomalies where kind = 'spike' and is_unexplained "
        "order by started_on desc, anomaly_id limit 1",
    )
    return {"CUSTOMER": f"CUSTOMER={customer}", "DAY": f"DAY={day}"}
