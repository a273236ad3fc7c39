{# What each customer with a living subscription pays and costs a month, as the last closed billing periods tell it. #}
{% set keys = ['account_id', 'customer_id', 'currency'] %}
with

subscriptions as (select * from {{ ref('int_subscriptions') }} where standing in ('served', 'suspended')),
items as (select * from {{ ref('int_subscription_items') }} where is_metered and is_alive and not is_deleted),
periods as (select * from {{ ref('fct_usage_periods') }} where not is_open and not is_trial),
months as (select * from {{ ref('fct_mrr_monthly') }}),
prices as (select * from {{ ref('dim_prices') }}),
intervals as (select * from {{ ref('billing_intervals') }}),
costs as ({{ unit_costs() }}),
as_of as (select * from {{ ref('int_as_of') }}),

closed as (

    select
        periods.*,
        row_number() over (
            partition by periods.account_id, periods.subscription_item_id
            order by periods.period_end desc, periods.period_start desc
        ) as recency
    from periods
    inner join as_of
        on periods.account_id = as_of.account_id
    where periods.period_end <= {{ end_of_day('as_of.as_of') }}

),

used as (

    select
        closed.account_id,
        closed.customer_id,
        closed.currency,
        {{ monthly_amount(
            cost_of('closed.quantity', 'costs.unit_cost_decimal'), 'intervals.intervals_per_year', 'prices.interval_count'
        ) }} as cost_minor,
        closed.quantity = 0 or costs.unit_cost_decimal is not null as is_known
    from closed
    inner join items
        on {{ same_keys('closed', 'items', ['account_id', 'subscription_item_id']) }}
    left join prices
        on {{ same_keys('closed', 'prices', ['account_id', 'price_id']) }}
    left join intervals
        on prices.billing_interval = intervals.billing_interval
    left join costs
        on {{ same_keys('closed', 'costs', ['meter_event_name', 'currency']) }}
    where closed.recency = 1
    union all
    select
        subscriptions.account_id,
        subscriptions.customer_id,
        subscriptions.currency,
        {{ cost_of('1', 'costs.unit_cost_decimal') }} as cost_minor,
        costs.meter_event_name is null or costs.unit_cost_decimal is not null as is_known
    from subscriptions
    left join costs
        on
            subscriptions.currency = costs.currency
            and costs.meter_event_name = 'subscription'
    where
        subscriptions.ended_at is null
        and subscriptions.has_lived

),

summed as (

    select
        {{ keys | join(', ') }},
        case when bool_and(is_known) then cast(sum(coalesce(cost_minor, 0)) as bigint) end as monthly_cost_minor
    from used
    group by {{ keys | join(', ') }}

),

paid as (

    select
        summed.*,
        cast(coalesce(months.mrr_minor, 0) as bigint) as monthly_revenue_minor
    from summed
    inner join as_of
        on summed.account_id = as_of.account_id
    left join months
        on
            {{ same_keys('summed', 'months', keys) }}
            and months.month_start = {{ month_start('as_of.as_of') }}

)

select
    {{ keys | join(', ') }},
    monthly_revenue_minor,
    monthly_cost_minor,
    {{ share_of('monthly_revenue_minor - monthly_cost_minor', 'monthly_revenue_minor') }} as margin
from paid
