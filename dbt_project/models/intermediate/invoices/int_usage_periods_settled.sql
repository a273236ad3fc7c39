{# Periods whose usage says how good a forecast was: over, not split by days, not free, not cut short, whether by a
   shorter period or by the end of the item in the middle of it. #}
with

periods as (select * from {{ ref('fct_usage_periods') }}),
prices as (select * from {{ ref('dim_prices') }}),
intervals as (select * from {{ ref('billing_intervals') }}),
items as (select * from {{ ref('int_subscription_items') }})

select periods.*
from periods
left join prices
    on {{ same_keys('periods', 'prices', ['account_id', 'price_id']) }}
left join intervals
    on prices.billing_interval = intervals.billing_interval
left join items
    on {{ same_keys('periods', 'items', ['account_id', 'subscription_item_id']) }}
where
    not periods.is_open
    and not periods.is_estimated
    and not periods.is_trial
    -- 28 days of a month and 7 of a week are whole
    and coalesce(periods.days_in_period * intervals.intervals_per_year >= 336 * prices.interval_count, true)
    and coalesce(items.ended_at >= periods.period_end, true)
