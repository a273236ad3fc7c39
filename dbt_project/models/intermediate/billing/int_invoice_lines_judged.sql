{# Metered lines of final invoices, each with what kind of line it is and whether its amount follows from its text. #}
with

lines as (select * from {{ ref('int_invoice_lines') }}),
invoices as (select * from {{ ref('int_invoices') }}),
tiers as (select * from {{ ref('int_price_tiers') }}),

flat_fees as (

    select distinct
        account_id,
        price_id,
        currency,
        flat_amount_decimal
    from tiers
    where flat_amount_decimal != 0

),

multiplied as (

    select
        *,
        case when {{ fits_an_amount('quantity', 'unit_amount_decimal') }} then quantity end
        * unit_amount_decimal as exact_amount
    from lines
    where is_metered

)

select
    lines.account_id,
    lines.invoice_line_id,
    lines.invoice_id,
    lines.customer_id,
    lines.subscription_item_id,
    lines.price_id,
    lines.meter_id,
    lines.currency,
    lines.quantity,
    lines.amount_minor,
    lines.period_start,
    lines.period_end,
    case
        when lines.is_proration then 'proration'
        when lines.subscription_item_id is null or lines.period_start >= lines.period_end then 'manual'
        when lines.price_id is null then 'edited'
        else 'usage'
    end as line_kind,
    -- it tells its own quantity and unit price: an amount that those do not round to is a hand's
    coalesce(
        2 * abs(lines.amount_minor - lines.exact_amount) > coalesce(tiers.billed_multiple_of, 1),
        false
    ) as contradicts_itself,
    flat_fees.price_id is null as is_units
from multiplied as lines
inner join invoices
    on
        lines.account_id = invoices.account_id
        and lines.invoice_id = invoices.invoice_id
        and invoices.finalized_at is not null
        and invoices.status != 'void'
left join flat_fees
    on
        lines.account_id = flat_fees.account_id
        and lines.price_id = flat_fees.price_id
        and lines.currency = flat_fees.currency
        and lines.unit_amount_decimal = flat_fees.flat_amount_decimal
        and lines.quantity = 1
left join tiers
    on
        lines.account_id = tiers.account_id
        and lines.price_id = tiers.price_id
        and lines.currency = tiers.currency
        and tiers.tier_index = 1
