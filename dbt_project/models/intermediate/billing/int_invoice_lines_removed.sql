{# Metered lines that were on a draft when it was loaded, and not any more: taken off by hand, or counted anew when the
   invoice was finalised. fct_invoice_reconciliation tells one from the other. #}
with

lines as (select * from {{ ref('stg_stripe__invoice_lines') }}),
invoices as (select * from {{ ref('int_invoices') }}),
prices as (select * from {{ ref('stg_stripe__prices') }})

select
    lines.account_id,
    lines.invoice_line_id,
    lines.invoice_id,
    invoices.customer_id,
    coalesce(lines.subscription_id, invoices.subscription_id) as subscription_id,
    lines.subscription_item_id,
    lines.price_id,
    prices.meter_id,
    lines.currency,
    lines.quantity,
    lines.amount_minor,
    lines.period_start,
    lines.period_end,
    invoices.created_at as invoiced_at
from lines
inner join invoices
    on
        lines.account_id = invoices.account_id
        and lines.invoice_id = invoices.invoice_id
inner join prices
    on
        lines.account_id = prices.account_id
        and lines.price_id = prices.price_id
where
    lines.is_deleted
    and not lines.is_proration
    and lines.subscription_item_id is not null
    and lines.period_start < lines.period_end
    and prices.usage_type = 'metered'
    and invoices.status != 'void'
