{# THE rating rule on every path: tiers are not linear, so that the price of a mean is not the mean of the prices. #}
{% set columns = [
    'account_id', 'subscription_item_id', 'as_of', 'is_backtest', 'period_number', 'period_start', 'path', 'method',
    'model_version', 'price_id', 'currency', 'quantity',
] %}
with

draws as (select * from {{ ref('int_usage_paths_priced') }}),
fixed as (select * from {{ ref('int_usage_paths_fixed') }}),

paths as (

    select {{ columns_of('draws', columns) }}
    from draws
    union all
    select {{ columns_of('fixed', columns) }}
    from fixed

),

rated as (
    {{ rate_totals('paths', ['subscription_item_id', 'as_of', 'is_backtest', 'period_start', 'path']) }}
)

select
    paths.*,
    rated.rated_amount_minor
from paths
left join rated
    on {{ same_keys(
        'paths', 'rated', ['account_id', 'subscription_item_id', 'as_of', 'is_backtest', 'period_start', 'path']
    ) }}
