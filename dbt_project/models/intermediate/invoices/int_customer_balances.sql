{# What customers have on their balance in each currency at as_of (negative: in their favour), by Stripe's own ledger of
   it; where that has not been loaded, the balance that the customer shows in its own currency. #}
with

transactions as (select * from {{ ref('stg_stripe__customer_balance_transactions') }} where not is_deleted),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),
as_of as (select * from {{ ref('int_as_of') }}),

ledger as (

    select
        transactions.account_id,
        transactions.customer_id,
        transactions.currency,
        cast(sum(transactions.amount_minor) as bigint) as balance_minor
    from transactions
    inner join as_of
        on
            transactions.account_id = as_of.account_id
            and transactions.created_at < as_of.known_until
    group by transactions.account_id, transactions.customer_id, transactions.currency

)

select * from ledger
union all
select
    customers.account_id,
    customers.customer_id,
    customers.currency,
    customers.balance_minor
from customers
left join ledger
    on {{ same_keys('customers', 'ledger', ['account_id', 'customer_id']) }}
where
    ledger.customer_id is null
    and customers.currency is not null
    and customers.balance_minor != 0
