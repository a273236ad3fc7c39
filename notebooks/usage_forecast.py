# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # One customer's usage: what was, and what is expected
#
# Reads the published copy of the marts (never the build file). Set `METERWISE_CUSTOMER` to a customer id;
# without it the customer whose current billing period has used most of its quota is shown.

# %%
import os
from pathlib import Path

import duckdb
import matplotlib.pyplot as plt
import pandas as pd

PUBLISHED = Path(os.environ.get("METERWISE_DATA", "data")) / "published" / "warehouse.duckdb"
marts = duckdb.connect(str(PUBLISHED), read_only=True)
as_of = pd.Timestamp(marts.sql("select as_of from meta.publication").fetchall()[0][0])

# %%
wanted = os.environ.get("METERWISE_CUSTOMER")
found = marts.execute(
    """
    select forecasts.customer_id, forecasts.subscription_item_id, periods.meter_event_name
    from marts.usage_forecast as forecasts
    inner join marts.fct_usage_periods as periods
        on forecasts.account_id = periods.account_id
        and forecasts.subscription_item_id = periods.subscription_item_id
        and periods.is_open
    where forecasts.is_current and coalesce(forecasts.customer_id = ?, true)
    order by periods.quota_share desc nulls last, forecasts.subscription_item_id
    limit 1
    """,
    [wanted],
).fetchall()
assert found, f"no current forecast for {wanted or 'any customer'}: run `make run` first"
customer_id, item_id, meter = found[0]

# %%
usage = marts.execute(
    "select usage_date, quantity::double as quantity from marts.fct_usage_daily "
    "where subscription_item_id = ? order by usage_date",
    [item_id],
).df()
forecast = marts.execute(
    "select forecast_date, yhat_median, q025, q10, q90, q975, seasonal_naive, weekday_mean, method "
    "from marts.usage_forecast "
    "where subscription_item_id = ? and is_current order by forecast_date",
    [item_id],
).df()
usage["usage_date"] = pd.to_datetime(usage["usage_date"])
forecast["forecast_date"] = pd.to_datetime(forecast["forecast_date"])

# %% [markdown]
# The forecast starts the day after the last known one, reaches 90 days ahead, and a wider band holds the narrower.
# Two naive forecasts of the same run are kept beside it: the last value of each weekday, and the mean of the last four.

# %%
assert usage["usage_date"].max() <= as_of
assert forecast["forecast_date"].min() == as_of + pd.Timedelta(days=1)
assert len(forecast) == (forecast["forecast_date"].max() - as_of).days == 90
assert (forecast["q025"] <= forecast["q10"]).all()
assert (forecast["q10"] <= forecast["yhat_median"]).all()
assert (forecast["yhat_median"] <= forecast["q90"]).all()
assert (forecast["q90"] <= forecast["q975"]).all()

# %%
recent = usage[usage["usage_date"] > as_of - pd.Timedelta(days=120)]
figure, axes = plt.subplots(figsize=(11, 4.5))
axes.plot(recent["usage_date"], recent["quantity"], color="black", linewidth=1.2, label="usage")
axes.fill_between(
    forecast["forecast_date"], forecast["q025"], forecast["q975"], color="#9ecae1", alpha=0.5, label="95 % band"
)
axes.fill_between(
    forecast["forecast_date"], forecast["q10"], forecast["q90"], color="#4292c6", alpha=0.5, label="80 % band"
)
axes.plot(
    forecast["forecast_date"],
    forecast["yhat_median"],
    color="#08519c",
    label=f"forecast ({forecast['method'].iloc[0]})",
)
for naive, style in (("seasonal_naive", ":"), ("weekday_mean", "--")):
    label = naive.replace("_", " ")
    axes.plot(forecast["forecast_date"], forecast[naive], color="#999999", linewidth=0.8, linestyle=style, label=label)
axes.axvline(as_of, color="grey", linestyle=":", linewidth=1)
axes.set_title(f"{customer_id}: {meter} a day, forecast as of {as_of.date()}")
axes.set_ylim(bottom=0)
axes.legend(loc="upper left", frameon=False, ncols=2)
figure.autofmt_xdate()
picture = Path("build") / "usage_forecast.png"
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=110, bbox_inches="tight")
plt.show()
