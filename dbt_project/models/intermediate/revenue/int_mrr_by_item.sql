{# THE definition of MRR; its words are the doc block `mrr`. No other model turns a line or a period into an amount
   per month. #}
with

valuation_days as (select * from {{ ref('int_valuation_days') }}),
items as (select * from {{ ref('int_subscription_items') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
licensed_periods as (select * from {{ ref('int_licensed_periods') }}),
usage_periods as (select * from {{ ref('fct_usage_periods') }}),
prices as (select * from {{ ref('dim_prices') }}),
intervals as (select * from {{ ref('billing_intervals') }}),
as_of as (select * from {{ ref('int_as_of') }}),

living_items as (

    select
        items.account_id,
        items.subscription_item_id,
        items.customer_id,
        items.currency,
        valuation_days.month_start,
        valuation_days.valued_until
    from items
    inner join subscriptions
        on
            items.account_id = subscriptions.account_id
            and items.subscription_id = subscriptions.subscription_id
    inner join as_of
        on items.account_id = as_of.account_id
    inner join valuation_days
        on
            items.account_id = valuation_days.account_id
            and items.started_at < valuation_days.valued_until
            and coalesce(items.ended_at >= valuation_days.valued_until, true)
            and coalesce(subscriptions.trial_ends_at < valuation_days.valued_until, true)
            -- Stripe keeps no history of statuses: today's only says what counts today
            and (
                valuation_days.valued_on < as_of.as_of
                or subscriptions.status in ('active', 'past_due', 'canceled')
            )

),

committed as (

    select
        living_items.account_id,
        living_items.subscription_item_id,
        living_items.customer_id,
        living_items.currency,
        living_items.month_start,
        'committed' as component,
        licensed_periods.amount_minor,
        licensed_periods.billing_interval,
        licensed_periods.interval_count
    from living_items
    inner join licensed_periods
        on
            living_items.account_id = licensed_periods.account_id
            and living_items.subscription_item_id = licensed_periods.subscription_item_id
            and licensed_periods.period_start < living_items.valued_until
            and licensed_periods.period_end >= living_items.valued_until
            and licensed_periods.invoiced_at < living_items.valued_until

),

metered as (

    select
        living_items.account_id,
        living_items.subscription_item_id,
        living_items.customer_id,
        living_items.currency,
        living_items.month_start,
        'metered' as component,
        arg_max(usage_periods.rated_amount_minor, usage_periods.period_end) as amount_minor,
        arg_max(prices.billing_interval, usage_periods.period_end) as billing_interval,
        arg_max(prices.interval_count, usage_periods.period_end) as interval_count
    from living_items
    inner join usage_periods
        on
            living_items.account_id = usage_periods.account_id
            and living_items.subscription_item_id = usage_periods.subscription_item_id
            and living_items.valued_until >= usage_periods.period_end
            -- usage in a trial is not billed
            and not coalesce(usage_periods.is_trial, false)
    inner join prices
        on
            usage_periods.account_id = prices.account_id
            and usage_periods.price_id = prices.price_id
    where usage_periods.rated_amount_minor is not null
    group by
        living_items.account_id,
        living_items.subscription_item_id,
        living_items.customer_id,
        living_items.currency,
        living_items.month_start

),

amounts as (

    select * from committed
    union all
    select * from metered

)

select
    amounts.account_id,
    amounts.subscription_item_id,
    amounts.customer_id,
    amounts.currency,
    amounts.month_start,
    amounts.component,
    {{ monthly_amount('amounts.amount_minor', 'intervals.intervals_per_year', 'amounts.interval_count') }} as mrr_minor
from amounts
inner join intervals
    on amounts.billing_interval = intervals.billing_interval
