{# Final invoices of the last explained_months (a var), each beside the ones before and after it of the same
   subscription and currency. Only regular ones that stand follow one another: what was raised between billing days, by
   hand or for a change of the subscription, is compared with nothing, and nothing with it. #}
{% set subscription = ['account_id', 'subscription_id', 'currency'] %}
with

invoices as (select * from {{ ref('int_invoices') }}),

told_apart as (

    select
        *,
        cast(created_at as date) as invoice_day,
        coalesce(status, '') = 'void' or voided_at is not null as is_void,
        subscription_id is not null
        and coalesce(billing_reason, 'subscription_cycle')
        in ('subscription_cycle', 'subscription_create', 'subscription', 'quote_accept') as is_regular,
        min(created_at) over by_subscription = created_at as is_earliest,
        max(created_at) over by_subscription = created_at as is_latest
    from invoices
    window by_subscription as (partition by account_id, subscription_id)

),

final_invoices as (

    select *
    from told_apart
    -- one that Stripe sent without a total cannot be explained: data_quality counts it
    where finalized_at is not null and total_minor is not null

),

-- what waits for somebody to finalise it is the next one, whatever period is forecast
drafts as (

    select
        final_invoices.account_id,
        final_invoices.invoice_id,
        min(told_apart.invoice_day) as draft_day
    from final_invoices
    inner join told_apart
        on
            {{ same_keys('final_invoices', 'told_apart', subscription) }}
            and final_invoices.created_at < told_apart.created_at
    where told_apart.is_regular and told_apart.finalized_at is null and coalesce(told_apart.status, '') = 'draft'
    group by final_invoices.account_id, final_invoices.invoice_id

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
        partition by {{ subscription | join(', ') }}
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
    final_invoices.starting_balance_minor,
    final_invoices.is_void,
    final_invoices.is_regular,
    final_invoices.subscription_id is null or coalesce(final_invoices.billing_reason, '') = 'manual' as is_by_hand,
    final_invoices.is_earliest,
    final_invoices.is_latest,
    drafts.draft_day,
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
left join drafts
    on {{ same_keys('final_invoices', 'drafts', ['account_id', 'invoice_id']) }}
where
    final_invoices.finalized_at >= cast(
        {{ add_months('final_invoices.as_of', '-' ~ var('explained_months')) }} as timestamp
    )
