{# The change in quantity of each pair of periods by day, and in a row without a day what days do not say. The rows of a
   pair sum to its change. The first day of a period is compared with the first of the one before, and so on. #}
with

pairs as (select * from {{ ref('int_usage_driver_pairs') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }}),

-- values of a `last` meter do not add up: what it kept is one row without a day
days_paired as (

    select
        pairs.account_id,
        pairs.subscription_item_id,
        pairs.period_start,
        case
            when usage_daily.usage_date >= pairs.counts_from then usage_daily.usage_date
            else pairs.counts_from + cast(
                {{ days_from('pairs.previous_counts_from', 'usage_daily.usage_date') }} as integer
            )
        end as usage_date,
        case
            when usage_daily.usage_date >= pairs.counts_from then usage_daily.quantity
            else -usage_daily.quantity
        end as quantity_change,
        pairs.counts_until
    from pairs
    inner join usage_daily
        on
            {{ same_keys('pairs', 'usage_daily', ['account_id', 'subscription_item_id', 'meter_id']) }}
            and pairs.previous_counts_from <= usage_daily.usage_date
            and pairs.counts_until > usage_daily.usage_date
    where
        pairs.quantity_effect_minor is not null
        and coalesce(pairs.aggregation_formula, 'sum') != 'last'

),

days as (

    select
        account_id,
        subscription_item_id,
        period_start,
        usage_date,
        cast(sum(quantity_change) as decimal(24, 6)) as quantity_change
    from days_paired
    -- a longer period before has days without a counterpart
    where usage_date < counts_until
    group by
        account_id,
        subscription_item_id,
        period_start,
        usage_date
    having sum(quantity_change) != 0

),

totals as (

    select
        account_id,
        subscription_item_id,
        period_start,
        sum(quantity_change) as quantity_change
    from days
    group by
        account_id,
        subscription_item_id,
        period_start

)

select * from days
union all
-- what days do not say: seconds of a day that periods share, days without a counterpart, last values
select
    pairs.account_id,
    pairs.subscription_item_id,
    pairs.period_start,
    cast(null as date) as usage_date,
    cast(pairs.quantity_change - coalesce(totals.quantity_change, 0) as decimal(24, 6)) as quantity_change
from pairs
left join totals
    on {{ same_keys('pairs', 'totals', ['account_id', 'subscription_item_id', 'period_start']) }}
where
    pairs.quantity_effect_minor is not null
    and pairs.quantity_change != coalesce(totals.quantity_change, 0)
