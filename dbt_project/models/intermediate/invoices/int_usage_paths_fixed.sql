{# Beside the draws, two paths that nobody draws: path 0 is the run-rate (usage so far / time elapsed x time of the
   period, to the second: periods begin at any time of day), path -1 stops at usage so far. #}
{% set item = ['account_id', 'subscription_item_id', 'period_start'] %}
{% set columns = item + ['price_id', 'currency', 'aggregation_formula'] %}
with

draws as (select * from {{ ref('int_usage_paths_priced') }} where is_backtest and path = 1),
as_of as (select * from {{ ref('int_as_of') }}),
open_periods as (select * from {{ ref('fct_usage_periods') }} where is_open),
settled as (select * from {{ ref('int_usage_periods_settled') }}),

looked_at as (

    select
        {{ columns_of('open_periods', columns) }},
        as_of.as_of,
        false as is_backtest,
        open_periods.quantity,
        open_periods.days_elapsed,
        open_periods.period_end
    from open_periods
    inner join as_of
        on open_periods.account_id = as_of.account_id
    union all
    select
        {{ columns_of('draws', columns) }},
        draws.as_of,
        true as is_backtest,
        draws.quantity_so_far as quantity,
        {{ days_from('cast(draws.period_start as date)', 'draws.as_of + 1') }} as days_elapsed,
        settled.period_end
    from draws
    inner join settled
        on {{ same_keys('draws', 'settled', item) }}

),

meant as (

    select
        *,
        0 as path,
        'run_rate' as method,
        case
            when aggregation_formula = 'last' then quantity
            else {{ share_of(
                'quantity * (' ~ seconds_of('period_end') ~ ' - ' ~ seconds_of('period_start') ~ ')',
                seconds_of(end_of_day('as_of')) ~ ' - ' ~ seconds_of('period_start')
            ) }}
        end as path_quantity
    from looked_at
    where days_elapsed > 0
    union all
    select
        *,
        -1 as path,
        'so_far' as method,
        -- the value that a meter had last may still fall
        case when aggregation_formula = 'last' then 0 else quantity end as path_quantity
    from looked_at

)

select
    account_id,
    subscription_item_id,
    as_of,
    is_backtest,
    0 as period_number,
    period_start,
    path,
    method,
    cast(null as {{ text_type() }}) as model_version,
    price_id,
    currency,
    path_quantity as quantity
from meant
