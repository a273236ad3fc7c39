with

invoices as (select * from {{ ref('int_invoices') }} where status = 'open'),
stripe_invoices as (select * from {{ ref('stg_stripe__invoices') }}),
payments as (select * from {{ ref('fct_payments') }} where payment_kind = 'charge'),

last_failures as (

    select
        account_id,
        invoice_id,
        {{ latest_by('decline_reason', ['attempted_at', 'payment_id']) }} as decline_reason,
        max(attempted_at) as failed_at
    from payments
    where outcome = 'failed'
    group by
        account_id,
        invoice_id

),

aged as (

    select
        invoices.account_id,
        invoices.invoice_id,
        invoices.customer_id,
        invoices.subscription_id,
        invoices.currency,
        invoices.as_of,
        invoices.collection_method,
        invoices.finalized_at,
        cast(coalesce(invoices.due_at, invoices.finalized_at) as date) as due_on,
        {{ days_past_due('invoices.due_at', 'invoices.finalized_at', 'invoices.as_of') }} as days_past_due,
        invoices.amount_due_minor,
        invoices.amount_remaining_minor,
        invoices.attempt_count,
        last_failures.failed_at as last_failed_at,
        last_failures.decline_reason as last_decline_reason,
        stripe_invoices.next_payment_attempt_at
    from invoices
    inner join stripe_invoices
        on
            invoices.account_id = stripe_invoices.account_id
            and invoices.invoice_id = stripe_invoices.invoice_id
    left join last_failures
        on
            invoices.account_id = last_failures.account_id
            and invoices.invoice_id = last_failures.invoice_id

)

select
    account_id,
    invoice_id,
    customer_id,
    subscription_id,
    currency,
    as_of,
    collection_method,
    finalized_at,
    due_on,
    days_past_due,
    case
        when days_past_due > 90 then 'over_90'
        when days_past_due > 60 then '61_90'
        when days_past_due > 30 then '31_60'
        when days_past_due > 0 then '1_30'
        else 'not_due'
    end as age_bucket,
    amount_due_minor,
    amount_remaining_minor,
    attempt_count,
    last_failed_at,
    last_decline_reason,
    next_payment_attempt_at
from aged
