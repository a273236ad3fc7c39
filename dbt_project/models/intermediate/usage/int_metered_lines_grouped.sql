{# What final invoices bill for metered prices, grouped as one rating of ours explains it; and the groups of which no
   line is left. Every metered line of a final invoice that is not void is in exactly one group. #}
with

lines as (select * from {{ ref('int_invoice_lines_judged') }}),
removed_lines as (select * from {{ ref('int_invoice_lines_removed') }}),
invoices as (select * from {{ ref('int_invoices') }}),

grouped as (

    select
        account_id,
        invoice_id,
        subscription_item_id,
        price_id,
        line_kind,
        period_start,
        period_end,
        currency,
        max(customer_id) as customer_id,
        max(meter_id) as meter_id,
        cast(sum(amount_minor) as bigint) as invoiced_amount_minor,
        {{ cast_or_null('sum(case when is_units then quantity else 0 end)', 'decimal(18, 6)') }} as billed_quantity,
        cast(count(*) as integer) as line_count,
        bool_or(contradicts_itself) as contradicts_itself
    from lines
    group by
        account_id,
        invoice_id,
        subscription_item_id,
        price_id,
        line_kind,
        period_start,
        period_end,
        currency

),

emptied as (

    select
        removed_lines.account_id,
        removed_lines.invoice_id,
        removed_lines.subscription_item_id,
        removed_lines.price_id,
        'removed' as line_kind,
        removed_lines.period_start,
        removed_lines.period_end,
        removed_lines.currency,
        max(invoices.customer_id) as customer_id,
        max(removed_lines.meter_id) as meter_id,
        cast(0 as bigint) as invoiced_amount_minor,
        cast(0 as decimal(18, 6)) as billed_quantity,
        cast(0 as integer) as line_count,
        false as contradicts_itself
    from removed_lines
    inner join invoices
        on
            removed_lines.account_id = invoices.account_id
            and removed_lines.invoice_id = invoices.invoice_id
            and invoices.finalized_at is not null
    left join grouped
        on
            removed_lines.account_id = grouped.account_id
            and removed_lines.subscription_item_id = grouped.subscription_item_id
            and removed_lines.period_start = grouped.period_start
    where grouped.account_id is null
    group by
        removed_lines.account_id,
        removed_lines.invoice_id,
        removed_lines.subscription_item_id,
        removed_lines.price_id,
        removed_lines.period_start,
        removed_lines.period_end,
        removed_lines.currency

),

every_group as (

    select * from grouped
    union all
    select * from emptied

)

select
    *,
    -- other lines for the same time of the same item: on another price, or once more
    min(price_id) over by_period != max(price_id) over by_period as has_other_prices,
    min(invoice_id) over by_period != max(invoice_id) over by_period as has_other_invoices
from every_group
window by_period as (partition by account_id, subscription_item_id, period_start)
