with

charges as (select * from {{ ref('stg_stripe__charges') }}),
invoice_payments as (select * from {{ ref('stg_stripe__invoice_payments') }} where not is_deleted),
refunds as (select * from {{ ref('int_charges_given_back') }}),
balance_transactions as (select * from {{ ref('stg_stripe__balance_transactions') }}),
other_payments as (select * from {{ ref('int_payments_without_charge') }}),
as_of as (select * from {{ ref('int_as_of') }}),

-- an invoice names its payment intents, and in old data its charges; neither names the invoice
invoices_paid as (

    select
        account_id,
        payment_id,
        min(invoice_id) as invoice_id
    from invoice_payments
    group by
        account_id,
        payment_id

),

attempts as (

    select
        charges.*,
        coalesce(by_intent.invoice_id, by_charge.invoice_id) as invoice_id
    from charges
    inner join as_of
        on
            charges.account_id = as_of.account_id
            and charges.created_at < as_of.known_until
    left join invoices_paid as by_intent
        on
            charges.account_id = by_intent.account_id
            and charges.payment_intent_id = by_intent.payment_id
    left join invoices_paid as by_charge
        on
            charges.account_id = by_charge.account_id
            and charges.charge_id = by_charge.payment_id

),

charged as (

    select
        attempts.account_id,
        attempts.charge_id as payment_id,
        'charge' as payment_kind,
        attempts.invoice_id,
        attempts.customer_id,
        attempts.payment_intent_id,
        attempts.payment_method_type,
        attempts.currency,
        attempts.amount_minor,
        case when attempts.status = 'succeeded' then attempts.amount_captured_minor else 0 end as received_minor,
        coalesce(refunds.refunded_minor, 0) as refunded_minor,
        coalesce(refunds.disputed_minor, 0) as disputed_minor,
        refunds.dispute_status,
        attempts.status as outcome,
        attempts.failure_code,
        attempts.outcome_reason as decline_reason,
        cast(row_number() over (
            partition by
                attempts.account_id,
                coalesce(attempts.invoice_id, attempts.payment_intent_id, attempts.charge_id)
            order by attempts.created_at, attempts.charge_id
        ) as integer) as attempt_number,
        attempts.created_at as attempted_at,
        balance_transactions.currency as settled_currency,
        balance_transactions.amount_minor as settled_amount_minor,
        balance_transactions.fee_minor,
        balance_transactions.net_minor,
        balance_transactions.available_at
    from attempts
    left join refunds
        on
            attempts.account_id = refunds.account_id
            and attempts.charge_id = refunds.charge_id
    left join balance_transactions
        on
            attempts.account_id = balance_transactions.account_id
            and attempts.balance_transaction_id = balance_transactions.balance_transaction_id

),

uncharged as (

    select
        account_id,
        payment_id,
        payment_kind,
        invoice_id,
        customer_id,
        cast(null as {{ text_type() }}) as payment_intent_id,
        cast(null as {{ text_type() }}) as payment_method_type,
        currency,
        amount_minor,
        amount_minor as received_minor,
        cast(0 as bigint) as refunded_minor,
        cast(0 as bigint) as disputed_minor,
        cast(null as {{ text_type() }}) as dispute_status,
        'succeeded' as outcome,
        cast(null as {{ text_type() }}) as failure_code,
        cast(null as {{ text_type() }}) as decline_reason,
        cast(null as integer) as attempt_number,
        paid_at as attempted_at,
        cast(null as {{ text_type() }}) as settled_currency,
        cast(null as bigint) as settled_amount_minor,
        cast(null as bigint) as fee_minor,
        cast(null as bigint) as net_minor,
        cast(null as timestamp) as available_at
    from other_payments

)

select * from charged
union all
select * from uncharged
