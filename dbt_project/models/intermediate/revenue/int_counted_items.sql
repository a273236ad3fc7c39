{# When subscription items count: one row per item and stretch of its subscription's life in which MRR counts. Rebuilt
   from its own dates up to the day before the first load, from observations after. #}
with

states as (select * from {{ ref('int_subscription_states') }} where is_counted),
lines as (select * from {{ ref('int_invoice_lines') }}),
living_items as (select * from {{ ref('int_subscription_items') }}),
item_states as (select * from {{ ref('int_item_states') }}),

items as (

    select
        account_id,
        subscription_item_id,
        subscription_id,
        customer_id,
        currency,
        started_at,
        ended_at
    from living_items
    union all
    -- an item that was taken off before the first load is nowhere but on invoices
    select
        lines.account_id,
        lines.subscription_item_id,
        min(lines.subscription_id) as subscription_id,
        min(lines.customer_id) as customer_id,
        min(lines.currency) as currency,
        min(lines.period_start) as started_at,
        max(lines.period_end) as ended_at
    from lines
    left join living_items
        on
            lines.account_id = living_items.account_id
            and lines.subscription_item_id = living_items.subscription_item_id
    where
        lines.subscription_item_id is not null
        and not lines.is_proration
        and living_items.subscription_item_id is null
    group by
        lines.account_id,
        lines.subscription_item_id

),

lives as (

    select
        account_id,
        subscription_item_id,
        started_at as valid_from,
        ended_at as valid_to,
        true as is_reconstructed
    from items
    union all
    select
        account_id,
        subscription_item_id,
        valid_from,
        valid_to,
        false as is_reconstructed
    from item_states

)

select
    items.account_id,
    items.subscription_item_id,
    items.subscription_id,
    items.customer_id,
    items.currency,
    greatest(states.valid_from, lives.valid_from) as valid_from,
    least(states.valid_to, lives.valid_to) as valid_to,
    states.is_reconstructed
from items
inner join lives
    on
        items.account_id = lives.account_id
        and items.subscription_item_id = lives.subscription_item_id
inner join states
    on
        items.account_id = states.account_id
        and items.subscription_id = states.subscription_id
        and lives.is_reconstructed = states.is_reconstructed
        and coalesce(states.valid_from < lives.valid_to, true)
        and coalesce(lives.valid_from < states.valid_to, true)
