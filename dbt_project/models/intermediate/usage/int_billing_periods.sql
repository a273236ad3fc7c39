{# Periods of metered items, the invoiced ones and the one that is running, as they were known at as_of. Stripe lists no
   item that was taken off its subscription: of one that was gone before the first load the invoice says whose it was. #}
with

invoiced as (select * from {{ ref('int_billing_periods_invoiced') }}),
items as (select * from {{ ref('int_subscription_items') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
as_of as (select * from {{ ref('int_as_of') }}),

running as (

    select
        items.account_id,
        items.subscription_item_id,
        items.current_period_start as period_start,
        items.current_period_end as period_end,
        items.subscription_id,
        items.customer_id,
        items.price_id,
        items.meter_id,
        items.currency,
        cast(null as {{ text_type() }}) as invoice_id,
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

listed as (

    select
        *,
        -- Stripe never bills one moment of an item twice, but a hand or a loader may
        coalesce(
            lead(period_start) over (partition by account_id, subscription_item_id order by period_start) < period_end,
            false
        ) as is_overlapping
    from every_period

),

placed as (

    select
        listed.account_id,
        listed.subscription_item_id,
        coalesce(items.subscription_id, listed.subscription_id) as subscription_id,
        coalesce(items.customer_id, listed.customer_id) as customer_id,
        coalesce(listed.meter_id, items.meter_id) as meter_id,
        coalesce(items.meter_event_name, meters.meter_event_name) as meter_event_name,
        coalesce(items.aggregation_formula, meters.aggregation_formula) as aggregation_formula,
        listed.price_id,
        coalesce(listed.currency, items.currency) as currency,
        listed.period_start,
        listed.period_end,
        listed.is_overlapping,
        -- the exclusive end of what counts to it by the end of as_of
        least(
            listed.period_end,
            case when listed.is_known then listed.period_end else items.ended_at end,
            {{ end_of_day('as_of.as_of') }}
        ) as used_until,
        as_of.as_of,
        coalesce(
            listed.period_start < items.trial_ends_at
            -- a trial may begin in the middle of a paid life
            and coalesce(listed.period_start >= items.trial_started_at, true),
            false
        ) as is_trial,
        not listed.is_known
        and coalesce(items.is_alive, false)
        and listed.period_end > {{ end_of_day('as_of.as_of') }} as is_open,
        case when listed.is_known then listed.invoice_id end as invoice_id,
        case when listed.is_known then listed.invoiced_amount_minor end as invoiced_amount_minor
    from listed
    inner join as_of
        on listed.account_id = as_of.account_id
    left join items
        on
            listed.account_id = items.account_id
            and listed.subscription_item_id = items.subscription_item_id
    left join meters
        on
            listed.account_id = meters.account_id
            and listed.meter_id = meters.meter_id
    where
        listed.is_known
        or (
            items.subscription_item_id is not null
            and listed.period_start <= {{ end_of_day('as_of.as_of') }}
        )

)

select * from placed
where
    subscription_id is not null
    and customer_id is not null
    and meter_id is not null
    and currency is not null
