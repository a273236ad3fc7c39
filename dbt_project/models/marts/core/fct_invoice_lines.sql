with

lines as (select * from {{ ref('int_invoice_lines') }}),

known as (

    select
        account_id,
        invoice_line_id,
        invoice_id,
        subscription_id,
        subscription_item_id,
        price_id,
        product_id,
        currency,
        description,
        quantity,
        amount_minor,
        discount_minor,
        period_start,
        period_end,
        is_proration,
        is_metered
    from lines
    where is_known

)

select * from known
