with

invoices as (select * from {{ ref('int_invoices') }}),

listed as (

    select
        account_id,
        invoice_id,
        customer_id,
        subscription_id,
        number,
        status,
        billing_reason,
        currency,
        created_at,
        period_start,
        period_end,
        finalized_at,
        paid_at,
        subtotal_minor,
        discount_minor,
        pretax_credit_minor,
        tax_minor,
        inclusive_tax_minor,
        total_minor,
        starting_balance_minor,
        amount_due_minor,
        amount_paid_minor,
        amount_remaining_minor,
        attempt_count,
        coalesce(
            status = 'open'
            and amount_remaining_minor > 0
            and {{ days_past_due('due_at', 'finalized_at', 'as_of') }} > 0,
            false
        ) as is_past_due
    from invoices

)

select * from listed
