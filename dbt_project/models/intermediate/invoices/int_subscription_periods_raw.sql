{# The same of what the metered items of a subscription cost together, summed path by path: the band of a sum is no sum
   of bands. Items whose periods end together are billed together. #}
{% set keys = ['account_id', 'subscription_id', 'as_of', 'period_end'] %}
with

paths as (select * from {{ ref('int_usage_paths_rated') }} where is_backtest),
items as (select * from {{ ref('int_open_periods_raw') }}),

summed as (

    select
        {{ columns_of('items', keys) }},
        items.customer_id,
        items.currency,
        paths.path,
        max(items.period_start) as period_start,
        max(items.days_elapsed) as days_elapsed,
        max(items.days_in_period) as days_in_period,
        {{ sum_if_known('paths.rated_amount_minor') }} as usage_minor,
        {{ sum_if_known('items.actual_minor') }} as actual_minor,
        max(items.method) as method,
        max(items.model_version) as model_version
    from paths
    inner join items
        on {{ same_keys('paths', 'items', ['account_id', 'subscription_item_id', 'as_of', 'period_start']) }}
    group by {{ columns_of('items', keys) }}, items.customer_id, items.currency, paths.path

)

select
    {{ keys | join(', ') }},
    customer_id,
    currency,
    max(period_start) as period_start,
    max(days_elapsed) as days_elapsed,
    max(days_in_period) as days_in_period,
    max(actual_minor) as actual_minor,
    {{ path_columns('usage_minor', 'minor', 'bigint') }},
    max(method) as method,
    max(model_version) as model_version
from summed
group by {{ keys | join(', ') }}, customer_id, currency
