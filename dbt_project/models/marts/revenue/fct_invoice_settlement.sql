with

invoices as (select * from {{ ref('int_invoices') }}),
stripe_invoices as (select * from {{ ref('stg_stripe__invoices') }}),
payments as (select * from {{ ref('fct_payments') }} where invoice_id is not null),
credit_notes as (select * from {{ ref('stg_stripe__credit_notes') }}),
as_of as (select * from {{ ref('int_as_of') }}),

paid as (

    select
        account_id,
        invoice_id,
        sum(case when payment_kind = 'charge' then received_minor else 0 end) as charged_minor,
        sum(case when payment_kind in ('payment_record', 'off_stripe') then received_minor end) as elsewhere_minor,
        sum(case when payment_kind = 'customer_balance' then received_minor else 0 end) as balance_applied_minor,
        -sum(case when payment_kind = 'overpaid' then received_minor else 0 end) as overpaid_minor
    from payments
    group by account_id, invoice_id

),

credited as (

    select
        credit_notes.account_id,
        credit_notes.invoice_id,
        sum(credit_notes.pre_payment_amount_minor) as credit_notes_minor
    from credit_notes
    inner join as_of
        on
            credit_notes.account_id = as_of.account_id
            and credit_notes.created_at < as_of.known_until
    where
        coalesce(credit_notes.status, '') != 'void'
        and not credit_notes.is_deleted
    group by credit_notes.account_id, credit_notes.invoice_id

),

settled as (

    select
        invoices.account_id,
        invoices.invoice_id,
        invoices.customer_id,
        invoices.currency,
        invoices.status,
        invoices.finalized_at,
        invoices.total_minor,
        cast(coalesce(paid.charged_minor, 0) as bigint) as charged_minor,
        cast(coalesce(paid.elsewhere_minor, 0) as bigint) as paid_elsewhere_minor,
        cast(coalesce(paid.balance_applied_minor, 0) as bigint) as balance_applied_minor,
        cast(coalesce(paid.overpaid_minor, 0) as bigint) as overpaid_minor,
        cast(coalesce(credited.credit_notes_minor, 0) as bigint) as credit_notes_minor,
        invoices.amount_remaining_minor as remaining_minor,
        invoices.amount_paid_minor,
        invoices.amount_due_minor,
        coalesce(stripe_invoices.pre_payment_credit_notes_minor, 0) as stated_credit_notes_minor
    from invoices
    inner join stripe_invoices
        on
            invoices.account_id = stripe_invoices.account_id
            and invoices.invoice_id = stripe_invoices.invoice_id
    left join paid
        on
            invoices.account_id = paid.account_id
            and invoices.invoice_id = paid.invoice_id
    left join credited
        on
            invoices.account_id = credited.account_id
            and invoices.invoice_id = credited.invoice_id
    where
        invoices.finalized_at is not null
        -- what is void was never to be paid
        and coalesce(invoices.status, '') != 'void'

),

compared as (

    select
        *,
        total_minor - (
            charged_minor + paid_elsewhere_minor - overpaid_minor
            + balance_applied_minor + credit_notes_minor + remaining_minor
        ) as difference_minor,
        amount_paid_minor - charged_minor - paid_elsewhere_minor as payments_missing_minor,
        stated_credit_notes_minor - credit_notes_minor as credit_notes_missing_minor,
        total_minor - amount_due_minor - stated_credit_notes_minor - balance_applied_minor as balance_missing_minor
    from settled

)

select
    account_id,
    invoice_id,
    customer_id,
    currency,
    status,
    finalized_at,
    total_minor,
    charged_minor,
    paid_elsewhere_minor,
    balance_applied_minor,
    overpaid_minor,
    credit_notes_minor,
    remaining_minor,
    cast(difference_minor as bigint) as difference_minor,
    case
        when difference_minor = 0 then null
        when difference_minor = payments_missing_minor then 'payment_not_landed'
        when difference_minor = credit_notes_missing_minor then 'credit_note_not_landed'
        when difference_minor = balance_missing_minor then 'balance_not_recorded'
        -- identical sums but for what Stripe let go
        when status = 'paid' and difference_minor = amount_due_minor + overpaid_minor - amount_paid_minor
            then 'forgiven'
        else 'unexplained'
    end as difference_cause
from compared
