{# What an invoiced period that is not rated as billed may cost by the same rule, in two other readings.
   Summaries know minutes and bills know seconds: of a minute at whose 37th second one period ends and the next begins,
   either may have used all or nothing, which leaves a lowest and a highest amount.
   And the quantity that Stripe itself put on the bill: where that comes to the bill, only the usage differs. #}
with

shared_minutes as (select * from {{ ref('int_usage_minutes_shared') }}),
line_groups as (select * from {{ ref('int_metered_lines_grouped') }}),
tiers as (select * from {{ ref('int_price_tiers') }}),

-- with the first minute or without it, and without the last or with it
choices as (

    select
        0 as without_first,
        0 as with_last
    union all
    select
        1 as without_first,
        0 as with_last
    union all
    select
        0 as without_first,
        1 as with_last
    union all
    select
        1 as without_first,
        1 as with_last

),

possible as (

    select
        shared_minutes.account_id,
        shared_minutes.subscription_item_id,
        shared_minutes.period_start,
        shared_minutes.price_id,
        shared_minutes.currency,
        choices.without_first + 2 * choices.with_last as reading,
        {{ cast_or_null(
            "case
                when shared_minutes.aggregation_formula is distinct from 'last'
                    then
                        shared_minutes.quantity
                        - choices.without_first * shared_minutes.first_minute_quantity
                        + choices.with_last * shared_minutes.last_minute_quantity
                when choices.with_last = 1 and shared_minutes.last_minute_quantity != 0
                    then shared_minutes.last_minute_quantity
                when choices.without_first = 1 and shared_minutes.first_minute_quantity = shared_minutes.quantity
                    then 0
                else shared_minutes.quantity
            end", 'decimal(18, 6)'
        ) }} as quantity
    from shared_minutes
    cross join choices
    union all
    select
        shared_minutes.account_id,
        shared_minutes.subscription_item_id,
        shared_minutes.period_start,
        shared_minutes.price_id,
        shared_minutes.currency,
        4 as reading,
        {{ cast_or_null('line_groups.billed_quantity * coalesce(tiers.package_size, 1)', 'decimal(18, 6)') }}
            as quantity
    from shared_minutes
    inner join line_groups
        on
            shared_minutes.account_id = line_groups.account_id
            and shared_minutes.invoice_id = line_groups.invoice_id
            and shared_minutes.subscription_item_id = line_groups.subscription_item_id
            and shared_minutes.price_id = line_groups.price_id
            and shared_minutes.period_start = line_groups.period_start
            and shared_minutes.period_end = line_groups.period_end
            and shared_minutes.currency = line_groups.currency
            and line_groups.line_kind = 'usage'
    left join tiers
        on
            shared_minutes.account_id = tiers.account_id
            and shared_minutes.price_id = tiers.price_id
            and shared_minutes.currency = tiers.currency
            and tiers.tier_index = 1

),

rated as ({{ rate_totals('possible', ['subscription_item_id', 'period_start', 'currency', 'reading']) }})

select
    account_id,
    subscription_item_id,
    period_start,
    min(case when reading < 4 then rated_amount_minor end) as lowest_amount_minor,
    max(case when reading < 4 then rated_amount_minor end) as highest_amount_minor,
    max(case when reading = 4 then rated_amount_minor end) as as_billed_amount_minor
from rated
group by
    account_id,
    subscription_item_id,
    period_start
