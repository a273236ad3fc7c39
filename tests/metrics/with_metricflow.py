"""Every metric, asked of MetricFlow, is what SQL over the marts says: `make test-metrics`.

The file is named to it, because it needs the group bi, which `make test` does without. MetricFlow writes the SQL; it
runs on the published copy, as a BI tool's would.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

MRR_BY = ("metric_time__month", "mrr_month__currency")
PERIOD_BY = ("metric_time__month", "usage_period__currency")
METER_BY = ("metric_time__month", "usage_period__meter")
MODEL_BY = ("model_figure__model_name", "model_figure__model_version")
MONTHS = "select month_start::timestamp, currency, {figure} from marts.fct_mrr_monthly group by all"
# a period counts to the month of its last moment: July's ends when August begins
PERIODS = """
    select date_trunc('month', period_end - interval 1 microsecond), {by}, {figure}
    from marts.fct_usage_periods group by all
"""
FIGURES = """
    select model_name, model_version, avg({column}) filter (where metric = 'wape' and segment = 'all')
    from marts.model_performance group by all
"""
BRIDGE_BY = ("metric_time__month", "bridge__currency")
KEPT = "opening_minor + contraction_minor + churn_minor"
# the month's bridge from its movements, customer by customer: the mart's own ratios are rounded
BRIDGES = """
    with moved as (
        select month_start, currency, sum(change_minor) filter (where movement_kind = 'expansion') as expansion_minor,
            sum(change_minor) filter (where movement_kind = 'contraction') as contraction_minor,
            sum(change_minor) filter (where movement_kind = 'churn') as churn_minor
        from marts.fct_mrr_movements where movement_kind <> 'fx' group by all
    ), opened as (
        select month_start + interval 1 month as month_start, currency, sum(mrr_minor) as opening_minor
        from marts.fct_mrr_monthly group by all
    ), months as (
        select month_start::timestamp as month_start, currency, coalesce(opening_minor, 0)::bigint as opening_minor,
            coalesce(expansion_minor, 0)::bigint as expansion_minor, coalesce(churn_minor, 0)::bigint as churn_minor,
            coalesce(contraction_minor, 0)::bigint as contraction_minor
        from (select distinct month_start, currency from marts.fct_mrr_monthly)
        left join opened using (month_start, currency) left join moved using (month_start, currency)
    )
    select month_start, currency, {figure} from months
"""
AHEAD_BY = ("metric_time__month", "revenue_ahead__currency")
# by the rows of currencies, where the metric adds up those of plans
AHEAD = """
    select month_start::timestamp, currency, {figure} from marts.revenue_forecast where level = 'currency' group by all
"""
CONVERTED = "select month_start::timestamp, {figure} from marts.fct_revenue_retention where is_converted"
MONTH_BY = ("metric_time__month",)
LOGOS = "select month_start::timestamp, currency, {figure} from marts.fct_revenue_retention where not is_converted"
# metric: how it is grouped, and the same by hand
CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "mrr": (MRR_BY, MONTHS.format(figure="sum(committed_mrr_minor + metered_mrr_minor)")),
    "committed_mrr": (MRR_BY, MONTHS.format(figure="sum(committed_mrr_minor)")),
    "metered_mrr": (MRR_BY, MONTHS.format(figure="sum(metered_mrr_minor)")),
    "arr": (MRR_BY, MONTHS.format(figure="sum(mrr_minor) * 12")),
    "paying_customers": (MRR_BY, MONTHS.format(figure="count(*) filter (where mrr_minor > 0)")),
    "arpa": (MRR_BY, MONTHS.format(figure="sum(mrr_minor) / nullif(count(*) filter (where mrr_minor > 0), 0)")),
    "usage_revenue": (
        PERIOD_BY,
        PERIODS.format(by="currency", figure="sum(rated_amount_minor) filter (where not is_open and not is_trial)"),
    ),
    "used_units": (
        METER_BY,
        PERIODS.format(by="meter_event_name", figure="sum(quantity) filter (where included_units > 0)"),
    ),
    "included_units": (
        METER_BY,
        PERIODS.format(by="meter_event_name", figure="sum(included_units) filter (where included_units > 0)"),
    ),
    "quota_share": (
        METER_BY,
        PERIODS.format(
            by="meter_event_name",
            figure="sum(quantity::double) filter (where included_units > 0) / sum(included_units::double)",
        ),
    ),
    "opening_mrr": (BRIDGE_BY, BRIDGES.format(figure="opening_minor")),
    "net_kept_mrr": (BRIDGE_BY, BRIDGES.format(figure=f"{KEPT} + expansion_minor")),
    "gross_kept_mrr": (BRIDGE_BY, BRIDGES.format(figure=KEPT)),
    "nrr": (BRIDGE_BY, BRIDGES.format(figure=f"({KEPT} + expansion_minor) / nullif(opening_minor, 0)")),
    "grr": (BRIDGE_BY, BRIDGES.format(figure=f"({KEPT}) / nullif(opening_minor, 0)")),
    "opening_customers": (BRIDGE_BY, LOGOS.format(figure="customers_opening")),
    "churned_customers": (BRIDGE_BY, LOGOS.format(figure="customers_churned")),
    "churn_rate": (BRIDGE_BY, LOGOS.format(figure="logo_churn")),
    "reporting_opening_mrr": (MONTH_BY, CONVERTED.format(figure="opening_minor")),
    "reporting_net_kept_mrr": (MONTH_BY, CONVERTED.format(figure=f"{KEPT} + expansion_minor")),
    "reporting_gross_kept_mrr": (MONTH_BY, CONVERTED.format(figure=KEPT)),
    "reporting_nrr": (MONTH_BY, CONVERTED.format(figure="net_retention")),
    "reporting_grr": (MONTH_BY, CONVERTED.format(figure="gross_retention")),
    "reporting_opening_customers": (MONTH_BY, CONVERTED.format(figure="customers_opening")),
    "reporting_churned_customers": (MONTH_BY, CONVERTED.format(figure="customers_churned")),
    "reporting_churn_rate": (MONTH_BY, CONVERTED.format(figure="logo_churn")),
    "reporting_mrr": (
        MONTH_BY,
        "select month_start::timestamp, sum(reporting_mrr_minor) from marts.fct_mrr_monthly group by all",
    ),
    "reporting_arr": (MONTH_BY, CONVERTED.format(figure="arr_minor")),
    "expected_mrr": (AHEAD_BY, AHEAD.format(figure="sum(mrr_minor)")),
    "expected_arr": (AHEAD_BY, AHEAD.format(figure="sum(arr_minor)")),
    "expected_usage_revenue": (AHEAD_BY, AHEAD.format(figure="sum(usage_revenue_minor)")),
    "forecast_error": (MODEL_BY, FIGURES.format(column="value")),
    "baseline_forecast_error": (MODEL_BY, FIGURES.format(column="baseline_value")),
}


class DuckDb:
    """What MetricFlow asks of a database to write SQL for it."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()


@dataclass(frozen=True)
class Metrics:
    """The metrics of a finished run."""

    engine: MetricFlowEngine
    published: Path
    names: frozenset[str]

    def rows(self, sql: str) -> dict[tuple[Any, ...], Any]:
        """The last column by all others."""
        with duckdb.connect(str(self.published), read_only=True) as copy:
            return {row[:-1]: row[-1] for row in copy.execute(sql).fetchall()}

    def ask(self, metric: str, *group_by: str) -> dict[tuple[Any, ...], Any]:
        """What MetricFlow says of one metric."""
        request = MetricFlowQueryRequest.create(metric_names=[metric], group_by_names=list(group_by))
        return self.rows(self.engine.explain(request).sql_statement.sql)


@pytest.fixture(scope="session")
def metrics(first_run: tuple[Path, str]) -> Metrics:
    data, _ = first_run
    manifest = parse_manifest_from_dbt_generated_manifest((data / "dbt" / "semantic_manifest.json").read_text())
    engine = MetricFlowEngine(SemanticManifestLookup(manifest), DuckDb())
    names = frozenset(metric.name for metric in manifest.metrics)
    return Metrics(engine, data / "published" / "warehouse.duckdb", names)


def test_every_metric_is_compared_here(metrics: Metrics) -> None:
    assert metrics.names == set(CASES)


@pytest.mark.parametrize("metric", sorted(CASES))
def test_a_metric_is_what_the_marts_say(metrics: Metrics, metric: str) -> None:
    group_by, sql = CASES[metric]
    asked, by_hand = metrics.ask(metric, *group_by), metrics.rows(sql)
    assert set(asked) == set(by_hand)
    assert any(value for value in asked.values())
    for key, value in by_hand.items():
        # amounts and counts are whole; ratios of the marts have six decimals
        exact = value is None or isinstance(value, int)
        assert asked[key] == (value if exact else pytest.approx(float(value), rel=1e-9, abs=6e-7)), key


def test_a_level_over_a_quarter_is_its_last_months(metrics: Metrics) -> None:
    asked = metrics.ask("mrr", "metric_time__quarter", "mrr_month__currency")
    months = metrics.ask("mrr", *MRR_BY)
    for (quarter, currency), value in asked.items():
        last = max(
            month
            for month, _ in months
            if (month.year, (month.month - 1) // 3) == (quarter.year, (quarter.month - 1) // 3)
        )
        assert value == months[last, currency]


def test_a_metric_can_be_grouped_by_what_the_customers_are(metrics: Metrics) -> None:
    by_segment = metrics.ask("mrr", *MRR_BY, "customer__segment")
    whole = metrics.ask("mrr", *MRR_BY)
    assert len(by_segment) > len(whole)
    for (month, currency), value in whole.items():
        assert sum(part for (a, b, _), part in by_segment.items() if (a, b) == (month, currency)) == value
