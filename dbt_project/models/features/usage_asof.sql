with

usage_trailing as (select * from {{ ref('int_usage_trailing') }}),
items as (select * from {{ ref('int_subscription_items') }}),
plans as (select * from {{ ref('int_plan_history') }}),
weekdays as (select * from {{ ref('int_usage_weekdays') }}),
year_before as (select * from {{ ref('int_usage_year_before') }}),
origins as (select * from {{ ref('int_usage_origins') }}),

assembled as (

    select
        origins.account_id,
        origins.subscription_item_id,
        usage_trailing.customer_id,
        usage_trailing.meter_id,
        usage_trailing.currency,
        origins.price_id,
        plans.plan,
        origins.origin_date,
        origins.is_scoring,
        cast(usage_trailing.history_days as double) as history_days,
        0.5 * (usage_trailing.mean_28 + usage_trailing.mean_91) as level,
        usage_trailing.mean_7,
        usage_trailing.mean_14,
        usage_trailing.mean_28,
        usage_trailing.mean_56,
        usage_trailing.mean_91,
        usage_trailing.mean_364,
        usage_trailing.sd_28,
        usage_trailing.zero_share_28,
        cast(usage_trailing.usage_date - usage_trailing.last_used_on as double) as days_since_nonzero,
        cast(usage_trailing.quantity as double) as last_1,
        cast(usage_trailing.last_2 as double) as last_2,
        cast(usage_trailing.last_3 as double) as last_3,
        cast(usage_trailing.last_7 as double) as last_7,
        weekdays.same_weekday_last,
        weekdays.same_weekday_mean_4,
        weekdays.same_weekday_mean_8,
        weekdays.same_weekday_median_8,
        year_before.lag_364
    from origins
    inner join items
        on
            origins.account_id = items.account_id
            and origins.subscription_item_id = items.subscription_item_id
    inner join usage_trailing
        on
            origins.account_id = usage_trailing.account_id
            and origins.subscription_item_id = usage_trailing.subscription_item_id
            and origins.origin_date = usage_trailing.usage_date
    inner join weekdays
        on
            origins.account_id = weekdays.account_id
            and origins.subscription_item_id = weekdays.subscription_item_id
            and origins.origin_date = weekdays.origin_date
    inner join year_before
        on
            origins.account_id = year_before.account_id
            and origins.subscription_item_id = year_before.subscription_item_id
            and origins.origin_date = year_before.origin_date
    left join plans
        on
            items.account_id = plans.account_id
            and items.subscription_id = plans.subscription_id
            and plans.known_from < {{ end_of_day('origins.origin_date') }}
            and coalesce(plans.known_to >= {{ end_of_day('origins.origin_date') }}, true)

)

select * from assembled
