{# Final invoices of the last explained_months (a var), each beside the ones before and after it of the same
   subscription and currency. Only regular ones that stand follow one another: what was raised between billing days, by
   hand or for a change of the subscription, is compared with nothing, and nothing with it. #}
with

invoices as (select * from {{ ref('int_invoices') }}),

final_invoices as (

    select
        invoices.*,
        cast(invoices.created_at as date) as invoice_day,
        coalesce(invoices.status, '') = 'void' or invoices.voided_at is not null as is_void,
        invoices.subscription_id is not null
        and coalesce(invoices.billing_reason, 'subscription_cycle')
        in ('subscription_cycle', 'subscription_create', 'subscription') as is_regular
    from invoices
    where
        invoices.finalized_at is not null
        -- one that Stripe sent without a total cannot be explained: data_quality counts it
        and invoices.total_minor is not null

),

in_order as (

    select
        account_id,
        invoice_id,
        lag(invoice_id) over by_subscription as previous_invoice_id,
        lag(invoice_day) over by_subscription as previous_invoice_day,
        lag(total_minor) over by_subscription as previous_total_minor,
        lag(amount_due_minor) over by_subscription as previous_amount_due_minor,
        lead(invoice_id) over by_subscription as next_invoice_id,
        lead(invoice_day) over by_subscription as next_invoice_day,
        lead(total_minor) over by_subscription as next_total_minor
    from final_invoices
    where is_regular and not is_void
    window by_subscription as (
        partition by account_id, subscription_id, currency
        order by created_at, invoice_id
    )

)

select
    final_invoices.account_id,
    final_invoices.invoice_id,
    final_invoices.customer_id,
    final_invoices.subscription_id,
    final_invoices.currency,
    final_invoices.status,
    final_invoices.as_of,
    final_invoices.invoice_day,
    final_invoices.total_minor,
    final_invoices.amount_due_minor,
    final_invoices.is_void,
    final_invoices.is_regular,
    final_invoices.subscription_id is null or coalesce(final_invoices.billing_reason, '') = 'manual' as is_by_hand,
    in_order.previous_invoice_id,
    in_order.previous_invoice_day,
    in_order.previous_total_minor,
    in_order.previous_amount_due_minor,
    in_order.next_invoice_id,
    in_order.next_invoice_day,
    in_order.next_total_minor
from final_invoices
left join in_order
    on {{ same_keys('final_invoices', 'in_order', ['account_id', 'invoice_id']) }}
where
    final_invoices.finalized_at >= cast(
        {{ add_months('final_invoices.as_of', '-' ~ var('explained_months')) }} as timestamp
    )
