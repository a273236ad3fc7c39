{# Days far above their own weekday. Causal: a day is judged by days before it only. Quantities are compared as
   shares of what is expected, because a quiet Sunday and a busy Monday err in proportion. #}
{# Fixed, not fitted: flagged when this many robust deviations above the median of the same weekdays … #}
{% set threshold = 6 %}
{# … none of which is taken smaller than this share, so that a very steady item does not cry wolf, … #}
{% set floor_share = 0.25 %}
{# … once this many same weekdays came before. #}
{% set weekdays_needed = 4 %}

with

usage_daily as (select * from {{ ref('fct_usage_daily') }}),

expected as (

    select
        *,
        {{ median_of('cast(quantity as ' ~ double_type() ~ ')') }} over same_weekday as expected_quantity,
        count(*) over same_weekday as weekdays_seen
    from usage_daily
    window
        same_weekday as (
            partition by account_id, subscription_item_id, {{ iso_weekday('usage_date') }}
            order by usage_date rows between 8 preceding and 1 preceding
        )

),

compared as (

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
            partition by account_id, subscription_item_id
            order by usage_date rows between 56 preceding and 1 preceding
        ) as deviation
    from compared

),

scored as (

    select
        *,
        {{ share_of('excess_share', 'greatest(coalesce(deviation, 0), ' ~ floor_share ~ ')', 'double') }} as score
    from scaled
    where weekdays_seen >= {{ weekdays_needed }}

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
where score > {{ threshold }}
