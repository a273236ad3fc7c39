{# Every path of every invoice to come, whether or not its amounts depend on the path. #}
with

invoices as (select * from {{ ref('int_upcoming_invoices') }}),
paths as (select * from {{ ref('int_usage_paths_rated') }} where not is_backtest),

numbers as (

    select distinct
        account_id,
        path
    from paths
    union distinct
    select
        account_id,
        1 as path
    from invoices
    union distinct
    select
        account_id,
        0 as path
    from invoices
    union distinct
    select
        account_id,
        -1 as path
    from invoices

)

select
    {{ columns_of('invoices', [
        'account_id', 'subscription_id', 'customer_id', 'currency', 'period_end', 'is_running', 'metered_items',
    ]) }},
    numbers.path
from invoices
inner join numbers
    on invoices.account_id = numbers.account_id
