{# Periods whose usage says how good a forecast was: over, not split by days, not free, not cut short. #}
with

periods as (select * from {{ ref('fct_usage_periods') }}),
prices as (select * from {{ ref('dim_prices') }}),
intervals as (select * from {{ ref('billing_intervals') }})

select periods.*
from periods
left join prices
    on {{ same_keys('periods', 'prices', ['account_id', 'price_id']) }}
left join intervals
    on prices.billing_interval = intervals.billing_interval
where
    not periods.is_open
    and not periods.is_estimated
    and not periods.is_trial
    -- 28 days of a month and 7 of a week are whole
    and coalesce(periods.days_in_period * intervals.intervals_per_year >= 336 * prices.interval_count, true)
