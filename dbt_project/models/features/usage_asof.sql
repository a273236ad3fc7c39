with

origins as (select * from {{ ref('int_usage_origins') }}),
spans as (select * from {{ ref('int_usage_spans') }}),
recent as (select * from {{ ref('int_usage_recent') }}),
weekdays as (select * from {{ ref('int_usage_weekdays') }}),
year_before as (select * from {{ ref('int_usage_year_before') }}),
plans as (select * from {{ ref('int_plan_history') }}),
cover as (select * from {{ ref('int_usage_cover') }}),

assembled as (

    select
        origins.account_id,
        origins.subscription_item_id,
        spans.customer_id,
        spans.meter_id,
        spans.currency,
        origins.price_id,
        plans.plan,
        origins.origin_date,
        origins.is_scoring,
        coalesce(cover.is_backfilled, true) as is_backfilled,
        cast(recent.history_days as {{ double_type() }}) as history_days,
        0.5 * (recent.mean_28 + recent.mean_91) as level,
        recent.mean_7,
        recent.mean_14,
        recent.mean_28,
        recent.mean_56,
        recent.mean_91,
        recent.mean_364,
        recent.sd_28,
        recent.zero_share_28,
        cast(
            {{ days_from('recent.last_used_on', 'origins.origin_date') }} as {{ double_type() }}
        ) as days_since_nonzero,
        cast(recent.last_1 as {{ double_type() }}) as last_1,
        cast(recent.last_2 as {{ double_type() }}) as last_2,
        cast(recent.last_3 as {{ double_type() }}) as last_3,
        cast(recent.last_7 as {{ double_type() }}) as last_7,
        weekdays.same_weekday_last,
        weekdays.same_weekday_mean_4,
        weekdays.same_weekday_mean_8,
        weekdays.same_weekday_median_8,
        year_before.year_before
    from origins
    inner join spans
        on
            origins.account_id = spans.account_id
            and origins.subscription_item_id = spans.subscription_item_id
            and origins.origin_date >= spans.first_day
            and coalesce(origins.origin_date <= spans.last_day, true)
    {% for looked_back in ('recent', 'weekdays', 'year_before') -%}
        inner join {{ looked_back }}
            on {{ same_keys('origins', looked_back, ['account_id', 'subscription_item_id', 'origin_date']) }}
    {% endfor -%}
    left join plans
        on
            spans.account_id = plans.account_id
            and spans.subscription_id = plans.subscription_id
            and plans.known_from < {{ end_of_day('origins.origin_date') }}
            and coalesce(plans.known_to >= {{ end_of_day('origins.origin_date') }}, true)
    left join cover
        on
            origins.account_id = cover.account_id
            and spans.meter_id = cover.meter_id
            and origins.origin_date = cover.usage_date

)

select * from assembled
