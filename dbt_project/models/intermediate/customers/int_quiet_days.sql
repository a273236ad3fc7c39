{# Days that begin 30 on each of which every item of a customer used less than a tenth of its own level before, judged
   once those are over, with the usage known then. Reads the future on purpose: only labels may read it. #}
with

suspected as (select * from {{ ref('int_quiet_days_suspected') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }}),
corrections as (select * from {{ ref('int_usage_corrections') }}),

days_around as (

    select
        suspected.account_id,
        suspected.customer_id,
        suspected.quiet_from,
        suspected.subscription_item_id,
        {{ days_from('suspected.quiet_from', 'usage_daily.usage_date') }} as days_after,
        coalesce(corrections.known_quantity, usage_daily.quantity) as quantity
    from suspected
    inner join usage_daily
        on
            suspected.account_id = usage_daily.account_id
            and suspected.subscription_item_id = usage_daily.subscription_item_id
            and usage_daily.usage_date between suspected.quiet_from - 91 and suspected.quiet_from + 29
    left join corrections
        on
            usage_daily.account_id = corrections.account_id
            and usage_daily.subscription_item_id = corrections.subscription_item_id
            and usage_daily.usage_date = corrections.usage_date
            and suspected.quiet_from + 30 >= corrections.known_from
            and suspected.quiet_from + 30 < corrections.known_until

),

items_compared as (

    select
        account_id,
        customer_id,
        quiet_from,
        subscription_item_id,
        {{ share_of(
            'sum(case when days_after between -28 and -1 then quantity end)',
            'count(case when days_after between -28 and -1 then quantity end)',
            'double'
        ) }} as mean_28_before,
        {{ share_of(
            'sum(case when days_after < 0 then quantity end)', 'count(case when days_after < 0 then quantity end)', 'double'
        ) }} as mean_91_before,
        count(case when days_after >= 0 then quantity end) as next_30_days,
        max(case when days_after >= 0 then quantity end) as next_30_highest
    from days_around
    group by
        account_id,
        customer_id,
        quiet_from,
        subscription_item_id

),

judged as (

    select
        account_id,
        customer_id,
        quiet_from,
        bool_and(
            next_30_days = 30
            and next_30_highest < 0.1 * 0.5 * (mean_28_before + mean_91_before)
        ) as is_quiet
    from items_compared
    -- items without usage before have no level to fall from
    where mean_28_before > 0
    group by
        account_id,
        customer_id,
        quiet_from

)

select
    account_id,
    customer_id,
    quiet_from
from judged
where is_quiet
