{# Lines with what their price says of them; a line without a price stays, unpriced. #}
with

lines as (select * from {{ ref('stg_stripe__invoice_lines') }}),
invoices as (select * from {{ ref('stg_stripe__invoices') }}),
prices as (select * from {{ ref('stg_stripe__prices') }}),
products as (select * from {{ ref('stg_stripe__products') }}),
items as (select * from {{ ref('stg_stripe__subscription_items') }}),
as_of as (select * from {{ ref('int_as_of') }}),

described as (

    select
        lines.account_id,
        lines.invoice_line_id,
        lines.invoice_id,
        invoices.customer_id,
        coalesce(lines.subscription_id, invoices.subscription_id) as subscription_id,
        lines.subscription_item_id,
        lines.invoice_item_id,
        lines.price_id,
        coalesce(lines.product_id, prices.product_id) as product_id,
        products.plan,
        products.plan_rank,
        lines.currency,
        lines.description,
        lines.quantity,
        lines.unit_amount_decimal,
        lines.amount_minor,
        lines.discount_minor,
        lines.discount_amounts,
        lines.period_start,
        lines.period_end,
        lines.is_proration,
        -- a price that has not landed, or that a hand took off the line, is its item's
        coalesce(coalesce(prices.usage_type, items.usage_type) = 'metered', false) as is_metered,
        prices.usage_type is null as is_unpriced,
        coalesce(prices.meter_id, items.meter_id) as meter_id,
        prices.billing_interval,
        prices.interval_count,
        invoices.created_at as invoiced_at,
        invoices.finalized_at,
        invoices.created_at < as_of.known_until as is_known,
        -- void by as_of: the lines stay, but nothing may count them
        coalesce(invoices.status = 'void', false)
        and coalesce(invoices.voided_at < as_of.known_until, true) as is_void
    from lines
    inner join invoices
        on
            lines.account_id = invoices.account_id
            and lines.invoice_id = invoices.invoice_id
    inner join as_of
        on lines.account_id = as_of.account_id
    left join prices
        on
            lines.account_id = prices.account_id
            and lines.price_id = prices.price_id
    left join items
        on
            lines.account_id = items.account_id
            and lines.subscription_item_id = items.subscription_item_id
    left join products
        on
            lines.account_id = products.account_id
            and coalesce(lines.product_id, prices.product_id) = products.product_id
    where
        not lines.is_deleted
        and not invoices.is_deleted

)

select * from described
