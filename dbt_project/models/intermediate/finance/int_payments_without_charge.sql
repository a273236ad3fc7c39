{# Money that settled an invoice without a charge: the customer's balance (negative where an overpaid or voided invoice
   gave to it), payments recorded by hand, and what the invoice says came in outside of Stripe beyond those. #}
with

invoices as (select * from {{ ref('int_invoices') }}),
stripe_invoices as (select * from {{ ref('stg_stripe__invoices') }}),
invoice_payments as (select * from {{ ref('stg_stripe__invoice_payments') }}),
balance_moves as (select * from {{ ref('stg_stripe__customer_balance_transactions') }}),
as_of as (select * from {{ ref('int_as_of') }}),

records as (

    select
        account_id,
        invoice_id,
        invoice_payment_id,
        currency,
        amount_paid_minor as amount_minor,
        coalesce(paid_at, created_at) as paid_at
    from invoice_payments
    where
        payment_type = 'payment_record'
        and status = 'paid'
        and not is_deleted

),

recorded as (

    select
        account_id,
        invoice_id,
        sum(amount_minor) as amount_minor
    from records
    group by
        account_id,
        invoice_id

),

uncharged as (

    select
        account_id,
        balance_transaction_id as payment_id,
        case
            when transaction_type = 'invoice_overpaid' then 'overpaid'
            else 'customer_balance'
        end as payment_kind,
        invoice_id,
        customer_id,
        currency,
        amount_minor,
        created_at as paid_at
    from balance_moves
    where
        invoice_id is not null
        -- a credit note's is credit for later, no payment of the invoice it corrects
        and coalesce(transaction_type, '') != 'credit_note'
        and not is_deleted
    union all
    select
        records.account_id,
        records.invoice_payment_id as payment_id,
        'payment_record' as payment_kind,
        records.invoice_id,
        invoices.customer_id,
        records.currency,
        records.amount_minor,
        records.paid_at
    from records
    left join invoices
        on
            records.account_id = invoices.account_id
            and records.invoice_id = invoices.invoice_id
    union all
    select
        invoices.account_id,
        'off_stripe:' || invoices.invoice_id as payment_id,
        'off_stripe' as payment_kind,
        invoices.invoice_id,
        invoices.customer_id,
        invoices.currency,
        cast(stripe_invoices.paid_off_stripe_minor - coalesce(recorded.amount_minor, 0) as bigint) as amount_minor,
        invoices.paid_at
    from invoices
    inner join stripe_invoices
        on
            invoices.account_id = stripe_invoices.account_id
            and invoices.invoice_id = stripe_invoices.invoice_id
    left join recorded
        on
            invoices.account_id = recorded.account_id
            and invoices.invoice_id = recorded.invoice_id
    where
        invoices.paid_at is not null
        and stripe_invoices.paid_off_stripe_minor > coalesce(recorded.amount_minor, 0)

)

select uncharged.*
from uncharged
inner join as_of
    on
        uncharged.account_id = as_of.account_id
        and uncharged.paid_at < as_of.known_until
