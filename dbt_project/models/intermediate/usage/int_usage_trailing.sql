{# What each item-day looks back on: every window ends on the day itself and is cut where the item's history begins,
   except the two named `next_`, which only labels may read. #}
with

usage_daily as (select * from {{ ref('fct_usage_daily') }}),

usage_trailing as (

    select
        account_id,
        subscription_item_id,
        customer_id,
        meter_id,
        currency,
        price_id,
        usage_date,
        quantity,
        row_number() over by_day as history_days,
        avg(quantity) over last_7 as mean_7,
        avg(quantity) over last_14 as mean_14,
        avg(quantity) over last_28 as mean_28,
        avg(quantity) over last_56 as mean_56,
        avg(quantity) over last_91 as mean_91,
        avg(quantity) over last_364 as mean_364,
        -- rounded as quantities are: what is left depends on where the engine cuts its frames
        round(stddev_samp(cast(quantity as double)) over last_28, 6) as sd_28,
        avg(case when quantity = 0 then 1 else 0 end) over last_28 as zero_share_28,
        max(case when quantity > 0 then usage_date end) over by_day as last_used_on,
        lag(quantity, 1) over by_day as last_2,
        lag(quantity, 2) over by_day as last_3,
        lag(quantity, 6) over by_day as last_7,
        avg(quantity) over weekday_4 as weekday_mean_4,
        avg(quantity) over weekday_8 as weekday_mean_8,
        median(cast(quantity as double)) over weekday_8 as weekday_median_8,
        avg(quantity) over before_28 as mean_28_before,
        avg(quantity) over before_91 as mean_91_before,
        max(quantity) over next_30 as next_30_highest,
        count(*) over next_30 as next_30_days
    from usage_daily
    window
        by_day as (partition by account_id, subscription_item_id order by usage_date),
        last_7 as (by_day rows between 6 preceding and current row),
        last_14 as (by_day rows between 13 preceding and current row),
        last_28 as (by_day rows between 27 preceding and current row),
        last_56 as (by_day rows between 55 preceding and current row),
        last_91 as (by_day rows between 90 preceding and current row),
        last_364 as (by_day rows between 363 preceding and current row),
        before_28 as (by_day rows between 28 preceding and 1 preceding),
        before_91 as (by_day rows between 91 preceding and 1 preceding),
        next_30 as (by_day rows between current row and 29 following),
        weekday_4 as (
            partition by account_id, subscription_item_id, {{ iso_weekday('usage_date') }}
            order by usage_date rows between 3 preceding and current row
        ),
        weekday_8 as (
            partition by account_id, subscription_item_id, {{ iso_weekday('usage_date') }}
            order by usage_date rows between 7 preceding and current row
        )

)

select * from usage_trailing
