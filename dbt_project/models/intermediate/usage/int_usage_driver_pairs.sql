{# Periods of an item that are over, beside the one before, both rated: what the new quantity would have cost at the old
   price parts the effect of quantity from that of price. Only those that ended in the last usage_drivers_days (a var), for
   each will be spread over its days. #}
with

periods as (select * from {{ ref('int_usage_periods') }}),
rated as (select * from {{ ref('fct_usage_periods') }}),

amounts as (

    select
        periods.account_id,
        periods.subscription_item_id,
        periods.customer_id,
        periods.meter_id,
        periods.aggregation_formula,
        periods.currency,
        periods.period_start,
        periods.period_end,
        periods.used_until,
        periods.as_of,
        periods.is_open,
        periods.counts_from,
        periods.price_id,
        periods.quantity,
        rated.rated_amount_minor
    from periods
    inner join rated
        on {{ same_keys('periods', 'rated', ['account_id', 'subscription_item_id', 'period_start']) }}

),

paired as (

    select
        *,
        lag(period_start) over by_item as previous_period_start,
        lag(counts_from) over by_item as previous_counts_from,
        lag(meter_id) over by_item as previous_meter_id,
        lag(currency) over by_item as previous_currency,
        lag(price_id) over by_item as previous_price_id,
        lag(quantity) over by_item as previous_quantity,
        lag(rated_amount_minor) over by_item as previous_amount_minor,
        coalesce(
            lead(counts_from) over by_item,
            cast(used_until - interval '1 microsecond' as date) + 1
        ) as counts_until
    from amounts
    window by_item as (partition by account_id, subscription_item_id order by period_start)

),

recent as (

    select *
    from paired
    where
        not is_open
        and period_end <= {{ end_of_day('as_of') }}
        and period_end > {{ end_of_day('as_of - ' ~ var('usage_drivers_days')) }}
        and rated_amount_minor is not null
        and previous_amount_minor is not null
        and currency = previous_currency

),

at_the_old_price as (

    select
        account_id,
        subscription_item_id,
        period_start,
        previous_price_id as price_id,
        currency,
        quantity
    from recent
    where meter_id = previous_meter_id

),

rated_at_the_old_price as ({{ rate_totals('at_the_old_price', ['subscription_item_id', 'period_start']) }})

select
    recent.*,
    recent.quantity - recent.previous_quantity as quantity_change,
    recent.rated_amount_minor - recent.previous_amount_minor as change_minor,
    -- null where the two do not compare: another meter, or a price that does not rate it
    rated_at_the_old_price.rated_amount_minor - recent.previous_amount_minor as quantity_effect_minor,
    recent.rated_amount_minor - rated_at_the_old_price.rated_amount_minor as price_effect_minor
from recent
left join rated_at_the_old_price
    on {{ same_keys('recent', 'rated_at_the_old_price', ['account_id', 'subscription_item_id', 'period_start']) }}
