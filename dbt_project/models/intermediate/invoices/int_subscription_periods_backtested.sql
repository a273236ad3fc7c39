{# The same for what all metered items of a subscription cost together. #}
with

forecasts as (select * from {{ ref('int_subscription_periods_raw') }}),
factors as (select * from {{ ref('int_band_factors') }} where level = 'subscription_amount'),
subscriptions as (select * from {{ ref('dim_subscriptions') }})

select
    {{ columns_of('forecasts', [
        'account_id', 'subscription_id', 'customer_id', 'currency', 'as_of', 'period_start', 'period_end',
        'days_elapsed', 'days_in_period',
    ]) }},
    subscriptions.plan,
    {{ columns_of('forecasts', ['actual_minor', 'mean_minor', 'run_rate_minor']) }},
    {{ scaled_band('forecasts', 'factors', 'minor', 'bigint') }},
    {{ columns_of('forecasts', ['method', 'model_version']) }}
from forecasts
left join subscriptions
    on {{ same_keys('forecasts', 'subscriptions', ['account_id', 'subscription_id']) }}
left join factors
    on
        forecasts.account_id = factors.account_id
        and forecasts.as_of = factors.for_as_of
        and {{ elapsed_quarter('forecasts.days_elapsed', 'forecasts.days_in_period') }} = factors.quarter
