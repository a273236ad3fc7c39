{# Periods that invoices bill, as the lines state them; int_billing_periods looks at them as of a day. #}
with

lines as (select * from {{ ref('int_invoice_lines') }}),
removed_lines as (select * from {{ ref('int_invoice_lines_removed') }}),

billed as (

    select
        account_id,
        subscription_item_id,
        subscription_id,
        customer_id,
        period_start,
        period_end,
        price_id,
        meter_id,
        currency,
        invoice_id,
        invoiced_at,
        is_known,
        1 as still_billed,
        amount_minor
    from lines
    where
        is_metered
        and not is_void
        and not is_proration
        and subscription_item_id is not null
        and price_id is not null
        and period_start < period_end
    union all
    -- a period stays one although all its lines were taken off the invoice
    select
        account_id,
        subscription_item_id,
        subscription_id,
        customer_id,
        period_start,
        period_end,
        price_id,
        meter_id,
        currency,
        invoice_id,
        invoiced_at,
        true as is_known,
        0 as still_billed,
        0 as amount_minor
    from removed_lines

),

ranked as (

    select
        *,
        -- of several invoices or prices the last one says what the period is rated at
        row_number() over (
            partition by account_id, subscription_item_id, period_start
            order by still_billed desc, invoiced_at desc, invoice_id desc, price_id desc
        ) as place
    from billed

),

invoiced as (

    select
        account_id,
        subscription_item_id,
        period_start,
        max(period_end) as period_end,
        max(case when place = 1 then subscription_id end) as subscription_id,
        max(case when place = 1 then customer_id end) as customer_id,
        max(case when place = 1 then price_id end) as price_id,
        max(case when place = 1 then meter_id end) as meter_id,
        max(case when place = 1 then currency end) as currency,
        max(case when place = 1 then invoice_id end) as invoice_id,
        bool_or(is_known) as is_known,
        cast(sum(amount_minor) as bigint) as invoiced_amount_minor
    from ranked
    group by
        account_id,
        subscription_item_id,
        period_start

)

select * from invoiced
