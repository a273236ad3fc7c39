{# What each explained invoice is made of, beside the invoice before: lines by what they bill, then what stands on the
   invoice as a whole. What is on no line that was loaded is a part of its own, so that parts sum to the total. #}
{% set key = ['account_id', 'invoice_id', 'is_own'] %}
{% set nothing = 'null as subject_id, null as product_id, null as quantity, null as unit_amount_decimal' %}
{% set of_invoices = {
    'discount': '-discount_minor',
    'billing_credit': '-pretax_credit_minor',
    'tax': 'tax_minor - inclusive_tax_minor',
    'credit_note': '-credit_notes_minor',
    'customer_balance': 'amount_due_minor - total_minor + credit_notes_minor',
} %}
with

explained as (select * from {{ ref('int_invoices_explained') }}),
lines as (select * from {{ ref('int_invoice_lines') }} where is_known),
invoices as (select * from {{ ref('int_invoices') }}),
sent as (select * from {{ ref('stg_stripe__invoices') }}),

sides as (

    {% for side, source in {'true': 'invoice_id', 'false': 'previous_invoice_id'}.items() -%}
        select
            account_id,
            invoice_id,
            {{ source }} as source_invoice_id,
            {{ side }} as is_own
        from explained
        where {{ source }} is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

wanted as (

    select
        {{ columns_of('sides', key + ['source_invoice_id']) }},
        {{ columns_of('invoices', ['discount_minor', 'pretax_credit_minor', 'tax_minor', 'inclusive_tax_minor']) }},
        {{ columns_of('invoices', ['total_minor', 'amount_due_minor']) }},
        coalesce(sent.pre_payment_credit_notes_minor, 0) as credit_notes_minor
    from sides
    inner join invoices
        on sides.account_id = invoices.account_id and sides.source_invoice_id = invoices.invoice_id
    inner join sent
        on sides.account_id = sent.account_id and sides.source_invoice_id = sent.invoice_id

),

listed as (

    select
        {{ columns_of('wanted', key) }},
        case
            when lines.is_proration then 'proration'
            when lines.subscription_item_id is null then 'one_off'
            when lines.is_metered then 'usage'
            else 'licensed'
        end as part,
        case
            when lines.is_proration or lines.subscription_item_id is null then null
            when lines.is_metered then coalesce(lines.meter_id, lines.subscription_item_id)
            else lines.subscription_item_id
        end as subject_id,
        lines.product_id,
        lines.quantity,
        lines.unit_amount_decimal,
        coalesce(lines.amount_minor, 0) as amount_minor
    from wanted
    inner join lines
        on wanted.account_id = lines.account_id and wanted.source_invoice_id = lines.invoice_id
    {% for part, amount in of_invoices.items() -%}
        union all
        select
            {{ columns_of('wanted', key) }},
            '{{ part }}' as part,
            {{ nothing }},
            {{ amount }} as amount_minor
        from wanted
        where {{ amount }} != 0
    {% endfor %}
),

unlisted as (

    select
        {{ columns_of('wanted', key) }},
        max(wanted.total_minor) - coalesce(sum(listed.amount_minor), 0) as amount_minor
    from wanted
    left join listed
        on
            {{ same_keys('wanted', 'listed', key) }}
            and listed.part not in ('credit_note', 'customer_balance')
    group by {{ columns_of('wanted', key) }}

),

every_part as (

    select * from listed
    union all
    select {{ columns_of('unlisted', key) }}, 'unlisted' as part, {{ nothing }}, unlisted.amount_minor
    from unlisted
    where unlisted.amount_minor != 0

)

select
    {% for name, side in {'': 'is_own', 'previous_': 'not is_own'}.items() -%}
        cast(sum(case when {{ side }} then amount_minor else 0 end) as bigint) as {{ name }}amount_minor,
        cast(sum(case when {{ side }} then 1 else 0 end) as integer) as {{ name }}lines,
        {% for column in ['product_id', 'quantity', 'unit_amount_decimal'] -%}
            max(case when {{ side }} then {{ column }} end) as {{ name }}{{ column }},
        {% endfor -%}
    {% endfor %}
    account_id,
    invoice_id,
    part,
    subject_id
from every_part
group by account_id, invoice_id, part, subject_id
