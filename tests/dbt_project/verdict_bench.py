"""Proposals, a ledger and customers of a test's own, and what the models from proposal to recommendation say of them.

The models are run as the SQL that `make run` of the small company has compiled. Kinds and words are the test's own too,
so that tuning a seed breaks no test.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

from tests.commands import ROOT
from tests.dbt_project.compiled import Bench
from tests.dbt_project.money_world import ACCOUNT, AS_OF, Row

KINDS = (
    *("tier_upgrade", "right_size_downgrade", "upgrade_quote", "usage_alert", "courtesy_credit", "retention_offer"),
    *("retry_payment", "payment_plan", "invoice_note", "experiment_price", "price_test_assignment"),
)
JUDGING = ("int_actions_decided", "int_proposals_identified", "int_proposals_checked", "int_proposals_resolved")
FRAMEWORK = (
    *JUDGING,
    *("int_proposals_worded", "int_customer_messages_proposed", "recommendations", "recommendations_withheld"),
    *("customer_messages", "int_recommendations_summed", "int_digest_recommendations"),
)
MARTS = ("recommendations", "recommendations_withheld", "customer_messages")
GROUPS = {"retry_payment": "dunning", "payment_plan": "dunning", "usage_alert": "notice", "invoice_note": "notice"}
GROUPS |= {"experiment_price": "none", "customer_message": "none"}

PROPOSALS = "account_id text, kind text, as_of date, customer_id text, subscription_id text, source_event_id text, "
PROPOSALS += "subject_id text, target_key text, period text, currency text, amount_minor bigint, "
PROPOSALS += "pct_change decimal(18, 6), monthly_change_minor bigint, params text, precondition text, evidence text, "
PROPOSALS += "template text, words text, model_version text, expected_value_minor bigint, "
PROPOSALS += "expected_value_low_minor bigint, expected_value_high_minor bigint, confidence double, urgency double"
CUSTOMERS = "account_id text, customer_id text, name text, preferred_locale text, currency text, livemode boolean, "
CUSTOMERS += "is_deleted boolean"
TABLES = {
    "intermediate.int_as_of": "account_id text, as_of date",
    "intermediate.int_customer_margins": "account_id text, customer_id text, currency text, "
    "monthly_revenue_minor bigint, monthly_cost_minor bigint",
    "intermediate.int_kind_precision": "account_id text, kind text, factor double",
    "staging.stg_stripe__customers": CUSTOMERS,
    "staging.stg_action_ledger__events": "account_id text, kind text, recommendation_id text, action_id text, "
    "customer_id text, body text, recorded_at timestamp",
    "staging.stg_ml__usage_forecast": "account_id text, as_of date",
    "staging.stg_ml__churn_risk": "account_id text, as_of date",
    "staging.stg_ml__usage_anomaly_runs": "account_id text, as_of date",
    "marts.alerts": "account_id text, state text, is_acknowledged boolean, model_name text",
    "marts.dim_customers": "account_id text, customer_id text, customer_tier text, segment text",
    "marts.churn_risk": "account_id text, customer_id text, is_current boolean, horizon_days integer, "
    "probability double",
    "seeds.action_kinds": "kind text, rests_on text, conflict_group text, cooldown_days integer, valid_days integer, "
    "hold_back_share decimal(9, 6), most_share decimal(9, 6), effect decimal(9, 6)",
    "seeds.price_rules": "rule text, value text",
}


def hold_back_seed() -> str:
    project = (ROOT / "dbt_project" / "dbt_project.yml").read_text()
    (seed,) = re.findall(r"^  hold_back_seed: (\S+)$", project, re.MULTILINE)
    return str(seed)


class Verdicts(Bench):
    """An account as of AS_OF; what is put in stays until `run` is called, and may be added to after it."""

    def __init__(self, sql: dict[str, str]) -> None:
        super().__init__(sql)
        self.rows_of: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.proposals: dict[str, list[Row]] = {kind: [] for kind in KINDS}
        self.kinds: dict[str, Row] = {kind: {} for kind in (*KINDS, "customer_message")}
        self.words: dict[tuple[str, str], Row] = {}
        self.laid: dict[str, str] = {}
        for name in ("message_templates", "currencies"):
            path = ROOT / "dbt_project" / "seeds" / f"{name}.csv"
            self.con.execute(f"create table seeds.{name} as from read_csv('{path}', header = true)")
        self.add("intermediate.int_as_of", as_of=AS_OF)
        for scores in ("usage_forecast", "churn_risk", "usage_anomaly_runs"):
            self.add(f"staging.stg_ml__{scores}", as_of=AS_OF)
        # words of the project's own would ask for slots that belong to their kind
        self.con.execute("delete from seeds.message_templates where kind in (select unnest(?) || '_message')", [KINDS])
        for kind in KINDS:
            self.word(kind, "{customer}: " + kind)

    def add(self, name: str, /, **row: Any) -> None:
        self.rows_of[name].append(({} if name.startswith("seeds.") else {"account_id": ACCOUNT}) | row)

    def word(self, kind: str, body: str, locale: str = "en", subject: str | None = None) -> None:
        """A template, in the place of the project's own."""
        self.words[kind, locale] = {"kind": kind, "locale": locale, "subject": subject, "body": body}

    def customers(self, *names: str, **more: Any) -> None:
        for name in names:
            row: Row = {"customer_id": name, "name": name, "currency": "usd", "livemode": False, "is_deleted": False}
            self.add("staging.stg_stripe__customers", **row | more)
            self.add("marts.dim_customers", customer_id=name)

    def propose(self, kind: str, customer: str | None, **more: Any) -> None:
        """A proposal; `words` is a mapping of slots."""
        row: Row = {"account_id": ACCOUNT, "kind": kind, "as_of": AS_OF, "customer_id": customer, "currency": "usd"}
        row |= {"subject_id": f"si_{customer}", "target_key": "t", "period": "2026-10", "template": kind}
        row |= {"params": "{}", "precondition": "{}", "evidence": "{}", "amount_minor": 100, "urgency": 1.0}
        row |= {f"expected_value{end}_minor": 100 for end in ("", "_low", "_high")}
        row |= {"monthly_change_minor": 0, "confidence": 0.5, "model_version": "1"} | more
        row["words"] = json.dumps({"customer": customer or "nobody"} | row.get("words", {}))
        self.proposals[kind].append(row)

    def decide(self, kind: str, customer: str, recommendation: str | None = None, **more: Any) -> None:
        """That an action was carried out (`how`: or else) on the day `on`: by Stripe's clock, where the event notes it,
        else by the plan's as_of, else by the runner's clock."""
        how, on, by = more.pop("how", "outcome"), more.pop("on", AS_OF), more.pop("by", "stripe")
        noon = datetime.combine(on, time(12))
        plan = {"recommendation_kind": kind, "undoes": more.pop("undoes", None)}
        body: Row = {}
        about: Row = {"recommendation_id": recommendation or f"old {kind} {customer}", "customer_id": customer}
        about |= {"action_id": f"action of {about['recommendation_id']}", "recorded_at": noon}
        if by != "runner":
            plan["as_of"] = str(on)
            about["recorded_at"] = datetime.fromisoformat("2027-12-31")
        if by == "stripe":
            plan["as_of"] = "2027-12-31"
            body["server_at"] = calendar.timegm(noon.timetuple())
        self.add("staging.stg_action_ledger__events", **about, kind="planned", body=json.dumps(plan))
        self.add("staging.stg_action_ledger__events", **about, kind=how, body=json.dumps(body))

    def run(self, models: Sequence[str] = FRAMEWORK) -> None:
        kinds: list[Row] = []
        for kind, own in self.kinds.items():
            row: Row = {"kind": kind, "conflict_group": GROUPS.get(kind, "bill"), "cooldown_days": 0, "valid_days": 14}
            kinds.append(row | {"hold_back_share": 0} | own)
        for name, columns in TABLES.items():
            self.lay(name, columns, kinds if name == "seeds.action_kinds" else self.rows_of[name])
        for kind, rows in self.proposals.items():
            self.lay(f"intermediate.int_{kind}s_proposed", PROPOSALS, rows)
        for row in self.words.values():
            self.con.execute("delete from seeds.message_templates where kind = $kind and locale = $locale",
                             {key: row[key] for key in ("kind", "locale")})  # fmt: skip
            self.con.execute("insert into seeds.message_templates by name select $kind as kind, $locale as locale, "
                             "$subject as subject, $body as body", row)  # fmt: skip
        for model in models:
            self.build("marts" if model in MARTS else "intermediate", model)

    def lay(self, name: str, columns: str, rows: list[Row]) -> None:
        """A table of these rows, all in one statement, unless it stands already; what a row does not name is null."""
        if self.laid.get(name) == (laid := repr(rows)):
            return
        self.laid[name] = laid
        self.con.execute(f"create or replace table {name} ({columns})")
        names = list(dict.fromkeys(column for row in rows for column in row))
        if rows:
            marks = ", ".join(f"({', '.join('?' * len(names))})" for _ in rows)
            self.con.execute(
                f"insert into {name} ({', '.join(names)}) values {marks}",
                [row.get(one) for row in rows for one in names],
            )

    def rows(self, query: str) -> list[Row]:
        found = self.con.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def verdicts(self) -> dict[tuple[str, str | None], str]:
        """The verdict of each proposal, by kind and customer."""
        self.run(JUDGING)
        found = self.rows("from intermediate.int_proposals_resolved")
        return {(row["kind"], row["customer_id"]): row["verdict"] for row in found}

    def verdict(self, kind: str, customer: str) -> str:
        return self.verdicts()[kind, customer]

    def id_of(self, kind: str, customer: str | None) -> str:
        """The recommendation_id of a proposal that was put in, as Python says it."""
        (row,) = (row for row in self.proposals[kind] if row["customer_id"] == customer)
        keys = ("account_id", "customer_id", "kind", "period", "subject_id", "target_key")
        canonical = json.dumps(
            {key: row[key] for key in keys} | {"livemode": False}, sort_keys=True, separators=(",", ":")
        )
        return f"h1:{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"
