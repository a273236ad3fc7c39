"""The documented sequence: run, approve the first upgrade, apply it, let 35 days pass, run again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.commands import module, run
from tests.end_to_end.tables import published


def test_an_approved_upgrade_and_credit_show_on_the_next_invoice_and_in_the_outcomes(
    first_run: tuple[Path, str], copy_of: Callable[[Path], Path]
) -> None:
    data = copy_of(first_run[0])
    upgrade, price = first_upgrade(data)
    ((credit,),) = published(
        data,
        "select recommendation_id from marts.recommendations where kind = 'courtesy_credit' "
        "order by amount_minor desc, recommendation_id limit 1",
    )

    assert module(data, "actions", "plan").returncode == 0
    for wanted in (upgrade, credit):
        approved = module(data, "actions", "approve", wanted, "--reason", "agreed with the account owner")
        assert approved.returncode == 0, approved.stderr
    rehearsed = run(["make", "apply"], data)
    assert rehearsed.returncode == 0, rehearsed.stderr
    sent = run(["make", "apply", "SEND=1"], data)
    assert sent.returncode == 0, sent.stderr

    assert run(["make", "advance", "DAYS=35"], data).returncode == 0
    again = run(["make", "run"], data)
    assert again.returncode == 0, again.stderr

    lines = published(
        data,
        "select count(*) from marts.fct_invoice_lines as lines "
        "inner join marts.fct_invoices using (account_id, invoice_id) "
        "where lines.price_id = ? and created_at >= timestamp '2026-11-01' and lines.subscription_id = "
        "(select subscription_id from marts.action_outcomes where recommendation_id = ?)",
        price,
        upgrade,
    )
    assert lines[0][0] >= 1, "the next invoice does not carry the new price"
    outcomes = dict(
        published(data, "select recommendation_id, (is_price_invoiced, is_credit_applied) from marts.action_outcomes")
    )
    assert outcomes[upgrade][0] is True
    assert outcomes[credit][1] is True

    audited = published(data, "select kind from marts.action_audit where recommendation_id = ? order by seq", upgrade)
    assert [kind for (kind,) in audited] == ["planned", "approved", "shadowed", "intent", "attempt", "outcome"]
    assert upgrade not in {row[0] for row in published(data, "select recommendation_id from marts.recommendations")}


def first_upgrade(data: Path) -> tuple[str, str]:
    """The most valuable upgrade's id, and the first price its subscription would move to."""
    ((recommendation_id, params),) = published(
        data,
        "select recommendation_id, params from marts.recommendations where kind = 'tier_upgrade' "
        "order by expected_value_minor desc, recommendation_id limit 1",
    )
    return recommendation_id, json.loads(params)["items"][0]["price"]
