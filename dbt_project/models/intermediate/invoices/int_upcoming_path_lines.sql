{# The metered lines of invoices to come, path by path, less their discounts; where an invoice has discounts, its other
   lines too, because a fixed amount is spread over all of them. Usage in a trial is not billed. #}
{% set invoice = ['account_id', 'subscription_id', 'period_end'] %}
with

items as (select * from {{ ref('int_upcoming_items') }} where is_metered),
rated as (select * from {{ ref('int_usage_paths_rated') }} where not is_backtest),
certain as (select * from {{ ref('int_upcoming_lines') }}),
discounts as (select * from {{ ref('int_upcoming_discounts') }}),
paths as (select * from {{ ref('int_upcoming_paths') }}),

discounted_invoices as (
    select distinct {{ invoice | join(', ') }}
    from discounts
),

lines as (

    select
        {{ columns_of('items', invoice) }},
        rated.path,
        items.subscription_item_id as line_id,
        items.price_id,
        'usage' as kind,
        case when items.is_trial then 0 else rated.rated_amount_minor end as amount_minor
    from items
    inner join rated
        on {{ same_keys('items', 'rated', ['account_id', 'subscription_item_id', 'period_start']) }}
    union all
    select
        {{ columns_of('certain', invoice) }},
        paths.path,
        certain.line_id,
        cast(null as {{ text_type() }}) as price_id,
        certain.kind,
        certain.amount_minor
    from certain
    inner join discounted_invoices
        on {{ same_keys('certain', 'discounted_invoices', invoice) }}
    inner join paths
        on {{ same_keys('certain', 'paths', invoice) }}

),

discounted_lines as (

    select
        {{ columns_of('lines', invoice + ['path', 'amount_minor']) }},
        lines.line_id as subscription_item_id
    from lines
    inner join discounted_invoices
        on {{ same_keys('lines', 'discounted_invoices', invoice) }}

),

applied as (

    select
        {{ invoice | join(', ') }},
        line_id as subscription_item_id,
        step,
        percent_off,
        amount_off_minor
    from discounts

),

{{ discount_steps('discounted', 'discounted_lines', 'applied', keys=invoice, bill=['path'], most=10) }}

select
    lines.*,
    coalesce(discounted.left_minor, lines.amount_minor) as net_minor
from lines
left join discounted_left as discounted
    on
        {{ same_keys('lines', 'discounted', invoice + ['path']) }}
        and lines.line_id = discounted.subscription_item_id
