{# What invoices of the coming twelve months bill by quantity, if everybody stays: usage of the billing periods that the
   forecast reaches, each as ten points of its paths (means of parts of them, because tiers are not linear; narrower
   parts above, where quotas are passed), the last of them again until the year is over; fees and seats as they are.
   `repeats` counts the periods that are like this one. #}
{% set parts = [25, 50, 65, 77, 86, 92, 96, 98, 99] %}
{% set keys = ['account_id', 'subscription_item_id'] %}
{% set columns = ['account_id', 'customer_id', 'subscription_id', 'price_id', 'currency', 'period_days', 'ends_at'] %}
with

items as (select * from {{ ref('int_upcoming_items') }} where is_running),
paths as (select * from {{ ref('int_usage_paths_rated') }} where not is_backtest and path > 0),
prices as (select * from {{ ref('dim_prices') }}),
intervals as (select * from {{ ref('billing_intervals') }}),
ends as (select * from {{ ref('int_subscription_ends') }}),

spaced as (

    select
        items.*,
        greatest({{ days_from('cast(items.period_start as date)', 'cast(items.period_end as date)') }}, 1)
            as period_days,
        coalesce({{ divide_half_up('intervals.intervals_per_year', 'prices.interval_count') }}, 1) as periods_a_year,
        case when items.is_last then items.period_end else ends.ends_at end as ends_at
    from items
    inner join prices
        on {{ same_keys('items', 'prices', ['account_id', 'price_id']) }}
    left join intervals
        on prices.billing_interval = intervals.billing_interval
    left join ends
        on {{ same_keys('items', 'ends', ['account_id', 'subscription_id']) }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by account_id, subscription_item_id, period_number order by quantity, path
        ) as place,
        count(*) over (partition by account_id, subscription_item_id, period_number) as paths
    from paths

),

parted as (

    select
        *,
        case
            {% for part in parts -%}
                when 100 * place <= {{ part }} * paths then {{ part }}
            {% endfor -%}
            else 100
        end as point
    from ranked

),

points as (

    select
        account_id,
        subscription_item_id,
        period_number,
        period_start,
        {{ share_of('sum(quantity)', 'count(*)') }} as quantity,
        {{ share_of('count(*)', 'max(paths)') }} as weight,
        max(period_number) over (partition by account_id, subscription_item_id) as last_period_number
    from parted
    group by account_id, subscription_item_id, period_number, period_start, point

),

together as (

    select
        {{ columns_of('spaced', columns) }},
        points.period_start,
        points.quantity,
        points.weight,
        case
            when points.period_number < points.last_period_number then 1
            else greatest(spaced.periods_a_year - points.last_period_number, 1)
        end as repeats
    from spaced
    inner join points
        on {{ same_keys('spaced', 'points', keys) }}
    where
        spaced.is_metered
        and (points.period_number > 0 or not spaced.is_trial)
    union all
    select
        {{ columns_of('spaced', columns) }},
        spaced.period_end as period_start,
        cast(spaced.quantity as decimal(18, 6)) as quantity,
        1 as weight,
        spaced.periods_a_year as repeats
    from spaced
    where not spaced.is_metered

)

select
    account_id,
    customer_id,
    subscription_id,
    price_id,
    currency,
    period_start,
    cast(period_days as integer) as period_days,
    quantity,
    cast(weight as decimal(18, 6)) as weight,
    -- those that begin before a booked end
    cast(case
        when ends_at is null then repeats
        else least(repeats, {{ periods_begun('period_start', 'ends_at', 'period_days') }})
    end as integer) as repeats
from together
where coalesce(period_start < ends_at, true)
