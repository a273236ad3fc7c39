{# At each origin, what each ISO weekday was like up to then: arrays of 7, Monday first, null where history is shorter.
   The last seven days hold every weekday once, and each day's own trailing values speak for its weekday. #}
with

origins as (select * from {{ ref('int_usage_origins') }}),
usage_trailing as (select * from {{ ref('int_usage_trailing') }}),

last_week as (

    select
        origins.account_id,
        origins.subscription_item_id,
        origins.origin_date,
        {{ iso_weekday('usage_trailing.usage_date') }} as weekday,
        cast(usage_trailing.quantity as double) as quantity,
        usage_trailing.weekday_mean_4,
        usage_trailing.weekday_mean_8,
        usage_trailing.weekday_median_8
    from origins
    inner join usage_trailing
        on
            origins.account_id = usage_trailing.account_id
            and origins.subscription_item_id = usage_trailing.subscription_item_id
            and usage_trailing.usage_date between origins.origin_date - 6 and origins.origin_date

)

select
    account_id,
    subscription_item_id,
    origin_date,
    {{ array_by_position('quantity', 'weekday', 7) }} as same_weekday_last,
    {{ array_by_position('weekday_mean_4', 'weekday', 7) }} as same_weekday_mean_4,
    {{ array_by_position('weekday_mean_8', 'weekday', 7) }} as same_weekday_mean_8,
    {{ array_by_position('weekday_median_8', 'weekday', 7) }} as same_weekday_median_8
from last_week
group by
    account_id,
    subscription_item_id,
    origin_date
