{# The invoices that running billing periods will end with, those of following periods for customers with credits after
   them. What begins and ends together is billed together. #}
with

items as (select * from {{ ref('int_upcoming_items') }}),

grouped as (

    select
        account_id,
        subscription_id,
        customer_id,
        currency,
        as_of,
        is_running,
        period_end,
        max(period_start) as period_start,
        bool_or(is_last) as is_last,
        bool_and(is_collected) as is_collected,
        cast(sum(case when is_metered then 1 else 0 end) as integer) as metered_items,
        max(case when is_metered then first_day end) as newest_first_day
    from items
    group by account_id, subscription_id, customer_id, currency, as_of, is_running, period_end

),

counted as (

    select
        *,
        {{ days_from('cast(period_start as date)', 'as_of + 1') }} as days_passed,
        cast({{ days_from('cast(period_start as date)', 'cast(period_end as date)') }} as integer) as days_in_period,
        {{ days_from('as_of', 'cast(period_end as date)') }} as days_ahead
    from grouped

)

select
    *,
    cast(greatest(least(days_passed, days_in_period), 0) as integer) as days_elapsed,
    row_number() over (
        partition by account_id, subscription_id
        order by period_end
    ) as place_of_subscription,
    row_number() over (
        partition by account_id, customer_id, currency
        order by period_end, subscription_id
    ) as place_of_customer
from counted
