{# Open periods as they were forecast on backtested days, beside what came; bands as drawn. #}
with

forecasts as (select * from {{ ref('int_usage_paths_periods') }} where is_backtest),
settled as (select * from {{ ref('int_usage_periods_settled') }})

select
    forecasts.*,
    {{ columns_of('settled', ['subscription_id', 'customer_id', 'meter_id', 'days_in_period']) }},
    {{ days_from('cast(forecasts.period_start as date)', 'forecasts.as_of + 1') }} as days_elapsed,
    settled.quantity as actual_quantity,
    settled.rated_amount_minor as actual_minor
from forecasts
inner join settled
    on {{ same_keys('forecasts', 'settled', ['account_id', 'subscription_item_id', 'period_start']) }}
