# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # The company's revenue: what is expected, and how good earlier forecasts were
#
# Reads the published copy of the marts (never the build file). Set `METERWISE_CUSTOMER` to a customer id for its next
# invoice; without it the largest one that is expected is shown.

# %%
import os
from pathlib import Path

import duckdb
from IPython.display import display

from ml import chart_revenue

PUBLISHED = Path(os.environ.get("METERWISE_DATA", "data")) / "published" / "warehouse.duckdb"
marts = duckdb.connect(str(PUBLISHED), read_only=True)

# %% [markdown]
# ## MRR of the next twelve months
#
# The existing book less those who leave, what the usage of those who stay adds, and new business (nothing, unless the
# seed `new_business` says so). The three add up to the line; bands are those of backtested sums.

# %%
forecast = marts.sql("select * from marts.revenue_forecast where is_current").df()
assert len(forecast), "no current revenue forecast: run `make run` first"
parts = forecast[["existing_book_minor", "usage_growth_minor", "new_business_minor"]].sum(axis=1)
assert (parts == forecast["mrr_minor"]).all()
plans, currencies = (
    forecast[forecast["level"] == level].groupby(["account_id", "currency", "month_start"])["mrr_minor"].sum()
    for level in ("plan", "currency")
)
assert plans.equals(currencies), "a currency is the sum of its plans"

picture = Path("build") / "revenue_forecast.png"
picture.parent.mkdir(exist_ok=True)
for _, page in chart_revenue.pages(marts):
    page.save(picture)
    display(page)

# %% [markdown]
# ## The report card
#
# What was said against what came, in per cent: `live` is what runs said at the time, `backtest` what models fitted up
# to an earlier day would have said. An 80 % band should hold 80 % of what came.

# %%
card = marts.sql(
    """
    select
        said, subject, bucket, n, baseline_method,
        round(100 * bias, 1) as bias, round(100 * wape, 1) as wape, round(100 * baseline_wape, 1) as baseline_wape,
        round(100 * median_error, 1) as median_error, round(100 * baseline_median_error, 1) as baseline_median_error,
        round(100 * cov80, 1) as cov80, round(100 * cov95, 1) as cov95
    from marts.forecast_report_card
    where segment_kind = 'all'
    order by subject, said, bucket
    """
).df()
display(card)

# %% [markdown]
# ## One customer's next invoice, beside run-rate
#
# Run-rate is usage so far / days elapsed x days in the period. Amounts are in the currency's minor units.

# %%
wanted = os.environ.get("METERWISE_CUSTOMER")
invoice = marts.execute(
    """
    select
        customer_id, currency, period_end, said, fees_minor, pending_minor, usage_minor, discounts_minor, credits_minor,
        balance_minor, total_minor, total_q10_minor, total_q90_minor, run_rate_total_minor, method
    from marts.invoice_forecast
    where coalesce(customer_id = ?, usage_minor > 0)
    order by status = 'ok' desc, total_minor desc, subscription_id
    limit 1
    """,
    [wanted],
).df()
assert len(invoice) or not wanted, f"no invoice is expected of {wanted}"
for said in invoice["said"]:
    print(said)
display(invoice.T)
