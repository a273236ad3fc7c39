{# Days far above their own weekday. Causal: a day is judged by days before it only. Quantities are compared as
   shares of what is expected, because a quiet Sunday and a busy Monday err in proportion. #}
{% set rule = spike_rule() %}

with

suspected as (select * from {{ ref('int_usage_days_suspected') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }}),

-- a suspected day is judged by 56 days before it, and each of these by its own eight weeks
stretches as (

    select
        account_id,
        subscription_item_id,
        stretch,
        min(suspected_on) - 112 as first_day,
        max(suspected_on) as last_day
    from suspected
    group by
        account_id,
        subscription_item_id,
        stretch

),

looked_back as (

    select
        stretches.stretch,
        usage_daily.*
    from stretches
    inner join usage_daily
        on
            {{ same_keys('stretches', 'usage_daily', ['account_id', 'subscription_item_id']) }}
            and usage_daily.usage_date between stretches.first_day and stretches.last_day

),

expected as (

    select
        *,
        {{ median_of('cast(quantity as ' ~ double_type() ~ ')') }} over (
            partition by account_id, subscription_item_id, stretch, {{ iso_weekday('usage_date') }}
            order by usage_date rows between 8 preceding and 1 preceding
        ) as expected_quantity
    from looked_back

),

shared as (

    select
        *,
        {{ share_of('quantity', 'expected_quantity', 'double') }} - 1 as excess_share
    from expected

),

scaled as (

    select
        *,
        -- 1.4826 makes the median absolute deviation of a normal sample its standard deviation
        1.4826 * {{ median_of('abs(excess_share)') }} over (
            partition by account_id, subscription_item_id, stretch
            order by usage_date rows between 56 preceding and 1 preceding
        ) as deviation
    from shared

),

scored as (

    select
        scaled.*,
        {{ share_of(
            'scaled.excess_share', 'greatest(coalesce(scaled.deviation, 0), ' ~ rule.floor_share ~ ')', 'double'
        ) }} as score
    from scaled
    inner join suspected
        on
            {{ same_keys('scaled', 'suspected', ['account_id', 'subscription_item_id']) }}
            and scaled.usage_date = suspected.suspected_on

)

select
    account_id,
    subscription_item_id,
    customer_id,
    meter_id,
    currency,
    usage_date,
    quantity,
    cast(round(expected_quantity, 6) as decimal(18, 6)) as expected_quantity,
    score
from scored
where score > {{ rule.threshold }}
