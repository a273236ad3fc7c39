{# Items with the life they take from their subscription. #}
with

items as (select * from {{ ref('stg_stripe__subscription_items') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
as_of as (select * from {{ ref('int_as_of') }}),

placed as (

    select
        items.account_id,
        items.subscription_item_id,
        items.subscription_id,
        subscriptions.customer_id,
        items.price_id,
        items.meter_id,
        meters.meter_event_name,
        meters.aggregation_formula,
        items.usage_type = 'metered' as is_metered,
        items.quantity,
        subscriptions.currency,
        items.current_period_start,
        items.current_period_end,
        items.is_deleted,
        subscriptions.trial_started_at,
        subscriptions.trial_ends_at,
        -- an item made with its subscription starts with it, which may be earlier than both were made
        case
            when cast(items.created_at as date) <= cast(subscriptions.created_at as date)
                then subscriptions.started_at
            else items.created_at
        end as started_at,
        -- an item taken off a living subscription ends with the last period it was in
        coalesce(
            subscriptions.ended_at,
            case when items.is_deleted then items.current_period_end end
        ) as ended_at,
        as_of.as_of
    from items
    inner join subscriptions
        on
            items.account_id = subscriptions.account_id
            and items.subscription_id = subscriptions.subscription_id
    inner join as_of
        on items.account_id = as_of.account_id
    left join meters
        on
            items.account_id = meters.account_id
            and items.meter_id = meters.meter_id
    where
        subscriptions.has_lived
        and items.created_at < as_of.known_until

)

select
    *,
    cast(started_at as date) as first_day,
    -- the last UTC day on which the item was there for some time and usage is covered
    least(as_of, coalesce(cast(ended_at - interval '1 microsecond' as date), as_of)) as last_day,
    coalesce(ended_at >= {{ end_of_day('as_of') }}, true) as is_alive
from placed
