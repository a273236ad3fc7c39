{# Every path that the usage of a billing period may take, with its price: today's periods, and the open ones of
   backtested days as they were billed. #}
{% set keys = ['account_id', 'subscription_item_id'] %}
{% set path = keys + ['as_of', 'is_backtest', 'period_number', 'period_start', 'path', 'method', 'model_version'] %}
{% set terms = ['price_id', 'currency', 'aggregation_formula'] %}
with

paths as (select * from {{ ref('stg_ml__usage_paths') }}),
as_of as (select * from {{ ref('int_as_of') }}),
items as (select * from {{ ref('int_subscription_items') }} where is_metered and is_alive),
settled as (select * from {{ ref('int_usage_periods_settled') }}),

today as (

    select {{ columns_of('paths', path + ['quantity_so_far', 'path_quantity']) }}
    from paths
    inner join as_of
        on {{ same_keys('paths', 'as_of', ['account_id', 'as_of']) }}
    where not paths.is_backtest

),

-- the model that speaks today is the one whose backtest counts
served as (
    select distinct
        account_id,
        model_version
    from today
),

placed as (

    select
        today.*,
        {{ columns_of('items', terms) }}
    from today
    inner join items
        on {{ same_keys('today', 'items', keys) }}
    union all
    select
        {{ columns_of('paths', path + ['quantity_so_far', 'path_quantity']) }},
        {{ columns_of('settled', terms) }}
    from paths
    inner join as_of
        on
            paths.account_id = as_of.account_id
            and paths.as_of < as_of.as_of
    inner join served
        on {{ same_keys('paths', 'served', ['account_id', 'model_version']) }}
    inner join settled
        on {{ same_keys('paths', 'settled', keys + ['period_start']) }}
    where
        paths.is_backtest
        and paths.period_number = 0

)

select
    {{ path | join(', ') }},
    price_id,
    currency,
    aggregation_formula,
    {{ cast_or_null('quantity_so_far', 'decimal(18, 6)') }} as quantity_so_far,
    -- what a meter keeps as its last value replaces what it had
    {{ cast_or_null(
        "path_quantity + case when aggregation_formula = 'last' then 0 else quantity_so_far end", 'decimal(18, 6)'
    ) }} as quantity
from placed
