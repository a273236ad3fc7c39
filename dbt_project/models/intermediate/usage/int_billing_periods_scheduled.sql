{# The billing period that ran at the end of as_of and of each 28th day before it for a year, as it was scheduled then,
   and the steps in which others follow it. An item says how its newest period is scheduled; another lasted a whole
   interval, whatever cut it short later, but for a trial and for an item's first (to the day that it is billed on). #}
{% set keys = ['account_id', 'subscription_item_id'] %}

with

origins as (select * from {{ ref('int_usage_origins') }}),
as_of as (select * from {{ ref('int_as_of') }}),
periods as (
    select
        *,
        period_start = min(period_start) over (partition by account_id, subscription_item_id) as is_first
    from {{ ref('int_billing_periods') }}
),
items as (select * from {{ ref('int_subscription_items') }}),
subscriptions as (select * from {{ ref('stg_stripe__subscriptions') }}),
prices as (select * from {{ ref('stg_stripe__prices') }}),
intervals as (select * from {{ ref('billing_intervals') }}),

running as (

    select
        origins.account_id,
        origins.subscription_item_id,
        origins.origin_date,
        origins.is_scoring,
        origins.price_id,
        {{ columns_of('periods', [
            'subscription_id', 'customer_id', 'meter_id', 'aggregation_formula', 'period_start', 'period_end',
            'used_until', 'is_trial', 'is_first',
        ]) }},
        row_number() over (
            partition by origins.account_id, origins.subscription_item_id, origins.origin_date
            order by periods.period_start desc
        ) as place
    from origins
    inner join as_of
        on
            origins.account_id = as_of.account_id
            and origins.origin_date >= as_of.as_of - 336
            and mod({{ days_from('origins.origin_date', 'as_of.as_of') }}, 28) = 0
    inner join periods
        on
            {{ same_keys('origins', 'periods', keys) }}
            and periods.period_start <= {{ end_of_day('origins.origin_date') }}
            and periods.period_end > {{ end_of_day('origins.origin_date') }}

),

stepped as (

    select
        running.*,
        cast(running.period_start as date) as start_day,
        coalesce(cast(subscriptions.billing_cycle_anchor_at as date), cast(running.period_start as date)) as anchor_day,
        intervals.months * prices.interval_count as step_months,
        intervals.days * prices.interval_count as step_days,
        case when items.current_period_start = running.period_start then items.current_period_end end as said_end,
        not running.is_trial
        and (not running.is_first or coalesce(items.ended_at <= running.period_end, false)) as is_whole
    from running
    left join items
        on {{ same_keys('running', 'items', keys) }}
    left join subscriptions
        on {{ same_keys('running', 'subscriptions', ['account_id', 'subscription_id']) }}
    left join prices
        on {{ same_keys('running', 'prices', ['account_id', 'price_id']) }}
    left join intervals
        on prices.billing_interval = intervals.billing_interval
    where running.place = 1

),

-- months count from the anchor's day, where the period began by it: 31 January, 28 February, 31 March
begun as (

    select
        *,
        case
            when {{ add_months('anchor_day', months_from('anchor_day', 'start_day')) }} = start_day then anchor_day
            else start_day
        end as begun_by
    from stepped

),

scheduled as (

    select
        *,
        case
            when said_end is not null then greatest(period_end, said_end)
            when is_whole then greatest(period_end, coalesce({{ at_time_of(
                add_months('begun_by', months_from('begun_by', 'start_day') ~ ' + step_months') ~ ' + step_days',
                'period_start'
            ) }}, period_end))
            else period_end
        end as scheduled_end
    from begun

)

select
    {{ columns_of('scheduled', [
        'account_id', 'subscription_item_id', 'origin_date', 'is_scoring', 'customer_id', 'meter_id',
        'aggregation_formula', 'period_start', 'scheduled_end', 'used_until', 'step_months', 'step_days',
    ]) }},
    cast(scheduled_end as date) as end_day,
    case
        when
            {{ add_months('anchor_day', months_from('anchor_day', 'cast(scheduled_end as date)')) }}
            = cast(scheduled_end as date) then anchor_day
        when
            {{ add_months('start_day', months_from('start_day', 'cast(scheduled_end as date)')) }}
            = cast(scheduled_end as date) then start_day
        else cast(scheduled_end as date)
    end as counted_by
from scheduled
