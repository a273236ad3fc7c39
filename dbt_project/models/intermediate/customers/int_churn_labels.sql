{# What came of a customer within each horizon after a day that churn is judged on. Reads the future on purpose: only
   labels may read it. Months that end about so many days later, by horizon. #}
{% set horizons = {30: 1, 90: 3} %}
{# Silence is known only when its 30 days are over. #}
{% set settling_days = 30 %}

with

customer_days as (select * from {{ ref('int_customer_days') }}),
churn_dates as (select * from {{ ref('int_churn_dates') }}),
item_days as (select * from {{ ref('int_customer_items_asof') }}),
as_of as (select * from {{ ref('int_as_of') }}),

horizons as (

    {% for days, months in horizons.items() -%}
        select
            {{ days }} as horizon_days,
            {{ months }} as months
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

judged as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        customer_days.is_backfilled,
        horizons.horizon_days,
        customer_days.as_of_date + horizons.horizon_days as last_day,
        {{ month_end(add_months('customer_days.month_start', 'horizons.months')) }} as month_end_then
    from customer_days
    cross join horizons

),

churned as (

    select
        judged.account_id,
        judged.customer_id,
        judged.as_of_date,
        judged.horizon_days,
        min(churn_dates.churned_on) as churned_on
    from judged
    inner join churn_dates
        on
            judged.account_id = churn_dates.account_id
            and judged.customer_id = churn_dates.customer_id
            and churn_dates.churned_on > judged.as_of_date
            and churn_dates.churned_on <= judged.last_day
    group by
        judged.account_id,
        judged.customer_id,
        judged.as_of_date,
        judged.horizon_days

),

items_compared as (

    select
        judged.account_id,
        judged.customer_id,
        judged.as_of_date,
        judged.horizon_days,
        {{ share_of('item_days_then.quantity_28', 'least(item_days_then.history_days, 28)', 'double') }} as mean_then,
        {{ share_of('item_days.quantity_91', 'least(item_days.history_days, 91)', 'double') }} as mean_before
    from judged
    inner join item_days
        on {{ same_keys('judged', 'item_days', ['account_id', 'customer_id', 'as_of_date']) }}
    inner join item_days as item_days_then
        on
            {{ same_keys('item_days', 'item_days_then', ['account_id', 'subscription_item_id']) }}
            and judged.month_end_then = item_days_then.as_of_date

),

usage_compared as (

    select
        account_id,
        customer_id,
        as_of_date,
        horizon_days,
        avg(cast({{ share_of('mean_then', 'mean_before', 'double') }} as decimal(18, 9))) as usage_left
    from items_compared
    group by
        account_id,
        customer_id,
        as_of_date,
        horizon_days

)

select
    judged.account_id,
    judged.customer_id,
    judged.as_of_date,
    judged.is_backfilled,
    judged.horizon_days,
    churned.churned_on is not null as is_churned,
    -- who has left uses nothing: that is churn and no contraction
    case when churned.churned_on is null then usage_compared.usage_left < 0.5 end as is_contracted,
    judged.last_day + {{ settling_days }} as matured_on,
    judged.last_day + {{ settling_days }} <= as_of.as_of as is_mature
from judged
inner join as_of
    on judged.account_id = as_of.account_id
{% for relation in ('churned', 'usage_compared') -%}
    left join {{ relation }}
        on {{ same_keys('judged', relation, ['account_id', 'customer_id', 'as_of_date', 'horizon_days']) }}
{% endfor %}
