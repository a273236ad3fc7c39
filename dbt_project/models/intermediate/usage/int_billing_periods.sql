{# Periods of metered items: the invoiced ones as their lines state them, and the one that is running. #}
with

lines as (select * from {{ ref('int_invoice_lines') }}),
items as (select * from {{ ref('int_subscription_items') }}),

invoiced as (

    select
        account_id,
        subscription_item_id,
        period_start,
        max(period_end) as period_end,
        -- a graduated price bills a line per tier: one price, one invoice, several lines
        max(price_id) as price_id,
        max(meter_id) as meter_id,
        max(invoice_id) as invoice_id,
        bool_or(is_known) as is_known,
        cast(sum(amount_minor) as bigint) as invoiced_amount_minor
    from lines
    where
        is_metered
        and not is_void
        and not is_proration
        and subscription_item_id is not null
        and period_start < period_end
    group by
        account_id,
        subscription_item_id,
        period_start

),

running as (

    select
        items.account_id,
        items.subscription_item_id,
        items.current_period_start as period_start,
        items.current_period_end as period_end,
        items.price_id,
        items.meter_id,
        cast(null as varchar) as invoice_id,
        false as is_known,
        cast(null as bigint) as invoiced_amount_minor
    from items
    left join invoiced
        on
            items.account_id = invoiced.account_id
            and items.subscription_item_id = invoiced.subscription_item_id
            and items.current_period_start = invoiced.period_start
    where
        items.is_metered
        and items.current_period_start < items.current_period_end
        and invoiced.subscription_item_id is null

),

every_period as (

    select * from invoiced
    union all
    select * from running

),

placed as (

    select
        every_period.account_id,
        every_period.subscription_item_id,
        items.subscription_id,
        items.customer_id,
        coalesce(every_period.meter_id, items.meter_id) as meter_id,
        items.meter_event_name,
        items.aggregation_formula,
        every_period.price_id,
        items.currency,
        every_period.period_start,
        every_period.period_end,
        -- the exclusive end of what counts to it by the end of as_of
        least(
            every_period.period_end,
            case when every_period.is_known then every_period.period_end else items.ended_at end,
            {{ end_of_day('items.as_of') }}
        ) as used_until,
        items.as_of,
        coalesce(every_period.period_start < items.trial_ends_at, false) as is_trial,
        not every_period.is_known
        and items.is_alive
        and every_period.period_end > {{ end_of_day('items.as_of') }} as is_open,
        case when every_period.is_known then every_period.invoice_id end as invoice_id,
        case when every_period.is_known then every_period.invoiced_amount_minor end as invoiced_amount_minor
    from every_period
    inner join items
        on
            every_period.account_id = items.account_id
            and every_period.subscription_item_id = items.subscription_item_id
    where
        every_period.is_known
        or every_period.period_start <= {{ end_of_day('items.as_of') }}

)

select * from placed
