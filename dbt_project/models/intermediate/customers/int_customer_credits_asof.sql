{# Customers who were given something back in the 91 days up to a day that churn is judged on: a credit note, a credit
   granted for nothing, or a credit on their balance that comes of neither. #}
with

customer_days as (select * from {{ ref('int_customer_days') }}),
credit_notes as (select * from {{ ref('stg_stripe__credit_notes') }}),
credit_grants as (select * from {{ ref('stg_stripe__credit_grants') }}),
balance_transactions as (select * from {{ ref('stg_stripe__customer_balance_transactions') }}),

given as (

    select
        account_id,
        customer_id,
        created_at,
        voided_at
    from credit_notes
    union all
    select
        account_id,
        customer_id,
        created_at,
        voided_at
    from credit_grants
    where category = 'promotional'
    union all
    select
        account_id,
        customer_id,
        created_at,
        cast(null as timestamp) as voided_at
    from balance_transactions
    where
        transaction_type = 'adjustment'
        and amount_minor < 0

)

select distinct
    customer_days.account_id,
    customer_days.customer_id,
    customer_days.as_of_date
from customer_days
inner join given
    on
        customer_days.account_id = given.account_id
        and customer_days.customer_id = given.customer_id
        and customer_days.valued_until > given.created_at
        and customer_days.valued_until - interval '91 days' <= given.created_at
        and coalesce(customer_days.valued_until <= given.voided_at, true)
