{# Every charge made to collect an invoice, with what stood before it. #}
with

payments as (select * from {{ ref('fct_payments') }} where payment_kind = 'charge' and invoice_id is not null),
charges as (select * from {{ ref('stg_stripe__charges') }}),

followed as (

    select
        payments.account_id,
        payments.payment_id,
        payments.invoice_id,
        payments.attempt_number,
        payments.attempted_at,
        payments.outcome,
        payments.decline_reason,
        charges.payment_method_id,
        coalesce(charges.advice_code = 'do_not_try_again', false) as is_last_one_allowed,
        coalesce(payments.dispute_status not in ('won', 'warning_closed'), false) as is_disputed,
        lag(payments.decline_reason) over by_invoice as reason_before,
        {{ days_from(
            'cast(lag(payments.attempted_at) over by_invoice as date)', 'cast(payments.attempted_at as date)'
        ) }} as days_since_before

    from payments
    left join charges
        on
            payments.account_id = charges.account_id
            and payments.payment_id = charges.charge_id
    window by_invoice as (
        partition by payments.account_id, payments.invoice_id
        order by payments.attempt_number
    )

)

select * from followed
