{# What a licensed item is billed for each period, whatever the number of lines: a price with tiers bills one for each.
   A period that begins anew (a cycle reset in its middle) ends the one before, whose rest is credited. #}
with

licensed_lines as (select * from {{ ref('int_invoice_lines_net_of_discounts') }}),

invoiced as (

    select
        account_id,
        subscription_item_id,
        invoice_id,
        invoiced_at,
        period_start,
        max(period_end) as period_end,
        cast(sum(amount_minor) as bigint) as amount_minor,
        max(billing_interval) as billing_interval,
        max(interval_count) as interval_count
    from licensed_lines
    group by
        account_id,
        subscription_item_id,
        invoice_id,
        invoiced_at,
        period_start

),

ranked as (

    select
        *,
        row_number() over (
            partition by account_id, subscription_item_id, period_start
            order by invoiced_at desc, invoice_id desc
        ) as recency
    from invoiced

)

select
    account_id,
    subscription_item_id,
    invoice_id,
    invoiced_at,
    period_start,
    least(
        period_end,
        lead(period_start) over (partition by account_id, subscription_item_id order by period_start)
    ) as period_end,
    amount_minor,
    billing_interval,
    interval_count
from ranked
where recency = 1
