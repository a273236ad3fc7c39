{# What an export may list, as we have it: nothing where there is no export of that kind. #}
with

exported as (select * from {{ ref('stg_exports__invoice_amounts') }}),
lines as (select * from {{ ref('int_invoice_lines') }}),
invoices as (select * from {{ ref('int_invoices') }}),

listed as (

    select
        'line' as kind,
        invoices.account_id,
        lines.invoice_line_id as record_id,
        invoices.invoice_id,
        invoices.number,
        invoices.customer_id,
        lines.currency,
        lines.amount_minor,
        invoices.status,
        invoices.created_at
    from lines
    inner join invoices
        on
            lines.account_id = invoices.account_id
            and lines.invoice_id = invoices.invoice_id
    union all
    select
        'invoice' as kind,
        account_id,
        invoice_id as record_id,
        invoice_id,
        number,
        customer_id,
        currency,
        total_minor as amount_minor,
        status,
        created_at
    from invoices

),

kinds as (

    select distinct
        account_id,
        kind
    from exported

)

select listed.*
from listed
inner join kinds
    on
        listed.account_id = kinds.account_id
        and listed.kind = kinds.kind
