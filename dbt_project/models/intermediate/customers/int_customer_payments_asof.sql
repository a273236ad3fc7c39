{# What was known of a customer's payments on the days churn is judged on. A failed payment is an invoice that was not
   paid within a day of being final: `attempt_count` says how often it was tried by now, not by then. #}
with

customer_days as (select * from {{ ref('int_customer_days') }}),
invoices as (select * from {{ ref('int_invoices') }}),

known as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        invoices.finalized_at >= customer_days.valued_until - interval '90 days'
        and invoices.amount_due_minor > 0
        and least(coalesce(invoices.paid_at, customer_days.valued_until), customer_days.valued_until)
        > invoices.finalized_at + interval '1 day' as is_failed,
        coalesce(
            least(invoices.paid_at, invoices.voided_at, invoices.uncollectible_at) >= customer_days.valued_until,
            true
        ) as is_open,
        invoices.amount_due_minor > 0
        and customer_days.valued_until > coalesce(invoices.due_at, invoices.finalized_at + interval '1 day') as is_due,
        {{ days_from('cast(coalesce(invoices.due_at, invoices.finalized_at) as date)', 'customer_days.as_of_date') }}
            as days_due
    from customer_days
    inner join invoices
        on
            customer_days.account_id = invoices.account_id
            and customer_days.customer_id = invoices.customer_id
            and customer_days.valued_until > invoices.finalized_at

)

select
    account_id,
    customer_id,
    as_of_date,
    cast(sum(case when is_failed then 1 else 0 end) as bigint) as failed_payments_90d,
    cast(sum(case when is_open then 1 else 0 end) as bigint) as open_invoices,
    max(case when is_open and is_due then days_due end) as days_past_due
from known
group by
    account_id,
    customer_id,
    as_of_date
