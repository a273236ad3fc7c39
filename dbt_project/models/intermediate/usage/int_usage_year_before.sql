{# At each origin, the 28 days that lie 364 days before the days to forecast: an array, one day ahead first. 364 is 52
   whole weeks, so that weekdays match. #}
with

origins as (select * from {{ ref('int_usage_origins') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }}),

lagged as (

    select
        origins.account_id,
        origins.subscription_item_id,
        origins.origin_date,
        usage_daily.usage_date - origins.origin_date + 364 as days_ahead,
        cast(usage_daily.quantity as double) as quantity
    from origins
    left join usage_daily
        on
            origins.account_id = usage_daily.account_id
            and origins.subscription_item_id = usage_daily.subscription_item_id
            and usage_daily.usage_date between origins.origin_date - 363 and origins.origin_date - 336

)

select
    account_id,
    subscription_item_id,
    origin_date,
    {{ array_by_position('quantity', 'days_ahead', 28) }} as lag_364
from lagged
group by
    account_id,
    subscription_item_id,
    origin_date
