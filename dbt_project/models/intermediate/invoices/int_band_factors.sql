{# By how much raw bands must be scaled to hold what they promise, learned from the backtested days: the 90 % (97.5 %)
   quantile of the misses on each side makes a band of 80 % (95 %). Sums have factors of their own. A backtested day is
   left out of its own factors, so that its coverage is honest. #}
with

as_of as (select * from {{ ref('int_as_of') }}),
items as (select * from {{ ref('int_open_periods_raw') }}),
subscriptions as (select * from {{ ref('int_subscription_periods_raw') }}),

misses as (

    select
        account_id,
        as_of,
        'item_quantity' as level,
        {{ elapsed_quarter('days_elapsed', 'days_in_period') }} as quarter,
        {{ miss_columns('quantity') }}
    from items
    union all
    select
        account_id,
        as_of,
        'item_amount' as level,
        {{ elapsed_quarter('days_elapsed', 'days_in_period') }} as quarter,
        {{ miss_columns('minor') }}
    from items
    union all
    select
        account_id,
        as_of,
        'subscription_amount' as level,
        {{ elapsed_quarter('days_elapsed', 'days_in_period') }} as quarter,
        {{ miss_columns('minor') }}
    from subscriptions

),

days as (

    select
        account_id,
        as_of
    from as_of
    union distinct
    select
        account_id,
        as_of
    from misses

),

known as (

    select
        days.as_of as for_as_of,
        misses.*
    from days
    inner join misses
        on
            days.account_id = misses.account_id
            and days.as_of != misses.as_of

),

pooled as (

    select
        account_id,
        for_as_of,
        level,
        {{ learned_factors() }},
        count(*) as misses
    from known
    group by account_id, for_as_of, level

),

by_quarter as (

    select
        account_id,
        for_as_of,
        level,
        quarter,
        {{ learned_factors() }}
    from known
    group by account_id, for_as_of, level, quarter

),

quarters as (select {{ numbers_between(1, 5) }} as quarter)

select
    {{ columns_of('pooled', ['account_id', 'for_as_of', 'level', 'misses']) }},
    quarters.quarter,
    {{ chosen_factors(['by_quarter', 'pooled']) }}
from pooled
cross join quarters
left join by_quarter
    on
        {{ same_keys('pooled', 'by_quarter', ['account_id', 'for_as_of', 'level']) }}
        and quarters.quarter = by_quarter.quarter
