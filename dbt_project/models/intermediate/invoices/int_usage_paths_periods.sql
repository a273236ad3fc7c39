{# What the paths of each item and period say together. Quantiles are as drawn; int_open_periods_backtested and
   int_open_periods_forecast scale them. #}
{% set keys = ['account_id', 'subscription_item_id', 'as_of', 'is_backtest', 'period_number', 'period_start'] %}
with

paths as (select * from {{ ref('int_usage_paths_rated') }}),
settled as (select * from {{ ref('int_usage_periods_settled') }}),
open_periods as (select * from {{ ref('fct_usage_periods') }} where is_open),
ahead as (select * from {{ ref('int_usage_periods_ahead') }}),

summed as (

    select
        {{ keys | join(', ') }},
        price_id,
        currency,
        cast(sum(case when path > 0 then 1 else 0 end) as integer) as paths,
        {{ path_columns('quantity', 'quantity', 'decimal(18, 6)') }},
        {{ path_columns('rated_amount_minor', 'minor', 'bigint') }},
        max(case when path > 0 then method end) as method,
        max(model_version) as model_version
    from paths
    group by {{ keys | join(', ') }}, price_id, currency

)

select
    summed.*,
    summed.mean_minor as rated_amount_minor,
    coalesce(settled.period_end, open_periods.period_end, ahead.period_end) as period_end
from summed
left join settled
    on
        summed.is_backtest
        and {{ same_keys('summed', 'settled', ['account_id', 'subscription_item_id', 'period_start']) }}
left join open_periods
    on
        not summed.is_backtest
        and {{ same_keys('summed', 'open_periods', ['account_id', 'subscription_item_id', 'period_start']) }}
left join ahead
    on
        {{ same_keys('summed', 'ahead', ['account_id', 'subscription_item_id', 'period_start']) }}
        and summed.as_of = ahead.origin_date
