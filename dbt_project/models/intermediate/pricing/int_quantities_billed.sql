{# What final invoices of the last twelve months up to as_of billed by quantity, as one rating rates it again: closed
   billing periods of metered items, and periods of fees and seats. Prorations and what a hand added are no price's
   doing. #}
with

lines as (select * from {{ ref('int_invoice_lines') }}),
periods as (select * from {{ ref('fct_usage_periods') }}),
prices as (select * from {{ ref('dim_prices') }}),
as_of as (select * from {{ ref('int_as_of') }}),

licensed as (

    select
        lines.account_id,
        lines.customer_id,
        lines.subscription_id,
        lines.price_id,
        lines.currency,
        lines.period_start,
        max(lines.period_end) as period_end,
        lines.period_start as billed_at,
        -- a tier of a price is a line of its own; the line of a flat amount counts no units
        {{ cast_or_null(
            "case when prices.tiers_mode = 'graduated' then sum(lines.quantity) else max(lines.quantity) end",
            'decimal(18, 6)'
        ) }} as quantity,
        cast(sum(lines.amount_minor) as bigint) as invoiced_minor
    from lines
    inner join prices
        on {{ same_keys('lines', 'prices', ['account_id', 'price_id']) }}
    where
        lines.is_known
        and lines.finalized_at is not null
        and not lines.is_void
        and not lines.is_metered
        and not lines.is_proration
        and lines.subscription_item_id is not null
    group by
        lines.account_id,
        lines.customer_id,
        lines.subscription_id,
        lines.subscription_item_id,
        lines.invoice_id,
        lines.price_id,
        lines.currency,
        lines.period_start,
        prices.tiers_mode

),

metered as (

    select
        periods.account_id,
        periods.customer_id,
        periods.subscription_id,
        periods.price_id,
        periods.currency,
        periods.period_start,
        periods.period_end,
        periods.period_end as billed_at,
        periods.quantity,
        periods.invoiced_amount_minor as invoiced_minor
    from periods
    where
        periods.invoice_id is not null
        and not periods.is_trial

),

together as (

    select * from licensed
    union all
    select * from metered

)

select
    together.*,
    {{ month_start('together.billed_at') }} as month_start
from together
inner join as_of
    on together.account_id = as_of.account_id
where
    together.billed_at <= {{ end_of_day('as_of.as_of') }}
    -- of the days at the end of a February the later one, so that no year has thirteen months
    and together.billed_at > greatest(
        {{ end_of_day(add_months('as_of.as_of', '-12')) }},
        cast({{ add_months('as_of.as_of + 1', '-12') }} as timestamp)
    )
