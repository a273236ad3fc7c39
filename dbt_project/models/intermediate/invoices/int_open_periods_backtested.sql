{# What would have been said of open periods on backtested days, with the bands as they are scaled today. #}
with

forecasts as (select * from {{ ref('int_open_periods_raw') }}),
factors as (select * from {{ ref('int_band_factors') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),

classes as (

    select
        account_id,
        subscription_item_id,
        max(demand_class) as demand_class
    from {{ ref('usage_forecast') }}
    where is_current
    group by account_id, subscription_item_id

)

select
    {{ columns_of('forecasts', [
        'account_id', 'subscription_item_id', 'subscription_id', 'customer_id', 'meter_id', 'price_id', 'currency',
        'as_of', 'period_start', 'period_end', 'days_elapsed', 'days_in_period',
    ]) }},
    subscriptions.plan,
    classes.demand_class,
    {{ columns_of('forecasts', ['actual_quantity', 'mean_quantity', 'run_rate_quantity']) }},
    {{ scaled_band('forecasts', 'of_quantity', 'quantity', 'decimal(18, 6)') }},
    {{ columns_of('forecasts', ['actual_minor', 'mean_minor', 'run_rate_minor']) }},
    {{ scaled_band('forecasts', 'of_amount', 'minor', 'bigint') }},
    {{ columns_of('forecasts', ['method', 'model_version']) }}
from forecasts
left join subscriptions
    on {{ same_keys('forecasts', 'subscriptions', ['account_id', 'subscription_id']) }}
left join classes
    on {{ same_keys('forecasts', 'classes', ['account_id', 'subscription_item_id']) }}
left join factors as of_quantity
    on
        forecasts.account_id = of_quantity.account_id
        and forecasts.as_of = of_quantity.for_as_of
        and of_quantity.level = 'item_quantity'
        and {{ elapsed_quarter('forecasts.days_elapsed', 'forecasts.days_in_period') }} = of_quantity.quarter
left join factors as of_amount
    on
        forecasts.account_id = of_amount.account_id
        and forecasts.as_of = of_amount.for_as_of
        and of_amount.level = 'item_amount'
        and {{ elapsed_quarter('forecasts.days_elapsed', 'forecasts.days_in_period') }} = of_amount.quarter
