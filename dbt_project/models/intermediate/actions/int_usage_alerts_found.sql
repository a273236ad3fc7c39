{# Which level of each item is worth an alert: one that enough paths pass before the period closes (pace, not what
   has been used), and for which Stripe has none that is equal; the soonest of them. The day is that of the daily
   forecast, scaled to the median path. Stripe counts an alert's units from the moment it is made: gte is what is
   missing to the level. #}
{% set item = ['account_id', 'subscription_item_id'] %}
with

levels as (select * from {{ ref('int_usage_levels_counted') }}),
paths as (select * from {{ ref('int_usage_paths_rated') }} where not is_backtest and period_number = 0 and path > 0),
days as (select * from {{ ref('usage_forecast') }} where is_current),
alerts as (
    select * from {{ ref('stg_stripe__alerts') }}
    where not is_deleted and status = 'active' and alert_type = 'usage_threshold'
),
credits as (select * from {{ ref('int_usage_levels_of_credits') }}),
draws as (select * from {{ ref('int_credit_draws_pathed') }} where path > 0),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'usage_alert'),

counted as (

    select
        {{ columns_of('levels', item + ['level']) }},
        {{ share_of('sum(case when paths.quantity >= levels.counted_quantity then 1 else 0 end)', 'count(*)') }}
            as chance
    from levels
    inner join paths
        on {{ same_keys('levels', 'paths', item + ['period_start']) }}
    where levels.level != 'credit'
    group by {{ columns_of('levels', item + ['level']) }}
    union all
    -- other meters draw on a credit as well
    select
        {{ columns_of('credits', item) }},
        'credit' as level,
        {{ share_of('sum(case when draws.running_draw_minor >= draws.remaining_minor then 1 else 0 end)', 'count(*)') }}
    from credits
    inner join draws
        on {{ same_keys('credits', 'draws', ['account_id', 'credit_grant_id']) }}
    group by {{ columns_of('credits', item) }}

),

likely as (

    select
        levels.*,
        counted.chance,
        cast(ceil(levels.counted_quantity - levels.quantity_so_far) as bigint) as gte
    from levels
    cross join kinds
    inner join counted
        on {{ same_keys('levels', 'counted', item + ['level']) }}
    where counted.chance >= kinds.min_chance

),

paced as (

    select
        {{ columns_of('likely', item + ['level', 'counted_quantity', 'quantity_so_far', 'median_quantity']) }},
        days.forecast_date,
        sum(cast(days.yhat_mean as decimal(28, 6))) over (
            partition by {{ columns_of('likely', item + ['level']) }}
            order by days.forecast_date rows between unbounded preceding and current row
        ) as quantity_by_then,
        sum(cast(days.yhat_mean as decimal(28, 6))) over (
            partition by {{ columns_of('likely', item + ['level']) }}
        ) as quantity_ahead
    from likely
    inner join days
        on
            {{ same_keys('likely', 'days', item) }}
            -- a period that ends at midnight has none of that day
            and cast(days.forecast_date as timestamp) < likely.period_end

),

dated as (

    select
        {{ item | join(', ') }},
        level,
        coalesce(
            min(case
                when
                    {{ share_of('quantity_by_then', 'quantity_ahead') }} * (median_quantity - quantity_so_far)
                    >= counted_quantity - quantity_so_far
                    then forecast_date
            end),
            max(forecast_date)
        ) as passes_on
    from paced
    group by {{ item | join(', ') }}, level

),

ranked as (

    select
        likely.*,
        dated.passes_on,
        row_number() over (
            partition by {{ columns_of('likely', item) }}
            order by dated.passes_on asc, likely.chance desc, likely.level asc
        ) as place
    from likely
    inner join dated
        on {{ same_keys('likely', 'dated', item + ['level']) }}
    left join alerts
        on
            {{ same_keys('likely', 'alerts', ['account_id', 'meter_id']) }}
            and coalesce(likely.customer_id = alerts.customer_id, true)
            and alerts.threshold in (likely.gte, likely.counted_quantity)
    where alerts.alert_id is null

)

select * from ranked
where place = 1
