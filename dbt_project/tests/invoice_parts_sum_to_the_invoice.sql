-- Each explained invoice against its parts: total, what is due, and both of the invoice that it is compared with.
{{ config(tags=['after_ml']) }}
with

invoices as (select * from {{ ref('fct_invoices') }}),
explained as (select * from {{ ref('invoice_explanations') }}),
parts as (select * from {{ ref('invoice_explanation_parts') }}),

sums as (

    select
        account_id,
        invoice_id,
        sum(case when is_in_total then amount_minor else 0 end) as total_minor,
        sum(amount_minor) as due_minor,
        sum(case when is_in_total then previous_amount_minor else 0 end) as previous_total_minor,
        sum(previous_amount_minor) as previous_due_minor
    from parts
    group by account_id, invoice_id

)

select
    explained.account_id,
    explained.invoice_id
from explained
left join sums
    on {{ same_keys('explained', 'sums', ['account_id', 'invoice_id']) }}
left join invoices
    on {{ same_keys('explained', 'invoices', ['account_id', 'invoice_id']) }}
left join invoices as before
    on explained.account_id = before.account_id and explained.previous_invoice_id = before.invoice_id
where
    invoices.invoice_id is null
    or coalesce(sums.total_minor, 0) != invoices.total_minor
    or coalesce(sums.due_minor, 0) != coalesce(invoices.amount_due_minor, invoices.total_minor)
    or (before.invoice_id is not null and coalesce(sums.previous_total_minor, 0) != before.total_minor)
    or (
        before.invoice_id is not null
        and coalesce(sums.previous_due_minor, 0) != coalesce(before.amount_due_minor, before.total_minor)
    )
