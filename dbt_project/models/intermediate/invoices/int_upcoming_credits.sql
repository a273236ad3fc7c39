{# What prepaid credits pay of metered lines, path by path. #}
with

lines as (select * from {{ ref('int_upcoming_path_lines') }} where kind = 'usage'),
paths as (select * from {{ ref('int_upcoming_paths') }}),
grants as (select * from {{ ref('int_credit_grants_live') }}),

credited as (
    select distinct
        account_id,
        customer_id,
        currency
    from grants
),

credited_lines as (

    select
        {{ columns_of('lines', ['account_id', 'subscription_id', 'period_end', 'path', 'line_id', 'price_id']) }},
        paths.customer_id,
        paths.currency,
        lines.net_minor as amount_minor
    from lines
    inner join paths
        on {{ same_keys('lines', 'paths', ['account_id', 'subscription_id', 'period_end', 'path']) }}
    inner join credited
        on {{ same_keys('paths', 'credited', ['account_id', 'customer_id', 'currency']) }}

),

{{ credit_steps('credits', 'credited_lines', 'grants', most=10) }}

select
    account_id,
    customer_id,
    currency,
    subscription_id,
    period_end,
    path,
    line_id,
    credit_grant_id,
    drawn_minor
from credits_drawn
