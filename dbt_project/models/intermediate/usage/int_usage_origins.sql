{# The days that forecasts start from: as_of and every week before it for a year, for each item that is alive then. #}
with

items as (select * from {{ ref('int_subscription_items') }}),
invoice_lines as (select * from {{ ref('int_invoice_lines') }}),
item_states as (select * from {{ ref('int_item_states') }}),
as_of as (select * from {{ ref('int_as_of') }}),

numbered as (select *, {{ numbers_between(0, 52) }} as weeks_before from items where is_metered),

item_origins as (

    select
        account_id,
        subscription_item_id,
        price_id,
        ended_at,
        as_of,
        as_of - 7 * weeks_before as origin_date,
        first_day,
        last_day
    from numbered

),

living as (

    select
        item_origins.*,
        as_of.landed_from,
        {{ end_of_day('item_origins.origin_date') }} as known_until
    from item_origins
    inner join as_of
        on item_origins.account_id = as_of.account_id
    where
        item_origins.origin_date between item_origins.first_day and item_origins.last_day
        and coalesce(item_origins.ended_at >= {{ end_of_day('item_origins.origin_date') }}, true)

),

billed as (

    select
        account_id,
        subscription_item_id,
        invoiced_at,
        {{ latest_by('price_id', ['period_end', 'invoice_line_id']) }} as price_id
    from invoice_lines
    where
        is_metered
        and subscription_item_id is not null
    group by
        account_id,
        subscription_item_id,
        invoiced_at

),

compared as (

    select
        *,
        lag(price_id) over (partition by account_id, subscription_item_id order by invoiced_at) as price_before
    from billed
    where price_id is not null

),

-- from each bill with another price to the next
runs as (

    select
        account_id,
        subscription_item_id,
        price_id,
        price_before is null as is_first,
        invoiced_at as known_from,
        lead(invoiced_at) over (partition by account_id, subscription_item_id order by invoiced_at) as known_to
    from compared
    where
        price_before is null
        or price_before != price_id

)

select
    living.account_id,
    living.subscription_item_id,
    living.origin_date,
    living.origin_date = living.as_of as is_scoring,
    -- before a first bill: what was observed; before the first load, what was billed first by then
    coalesce(runs.price_id, first_runs.price_id, item_states.price_id, living.price_id) as price_id
from living
left join runs
    on
        living.account_id = runs.account_id
        and living.subscription_item_id = runs.subscription_item_id
        and living.known_until > runs.known_from
        and coalesce(living.known_until <= runs.known_to, true)
left join runs as first_runs
    on
        living.account_id = first_runs.account_id
        and living.subscription_item_id = first_runs.subscription_item_id
        and first_runs.is_first
        and first_runs.known_from < living.landed_from
        and living.known_until <= living.landed_from
left join item_states
    on
        living.account_id = item_states.account_id
        and living.subscription_item_id = item_states.subscription_item_id
        and item_states.valid_from < greatest(living.known_until, living.landed_from + interval '1 second')
        and coalesce(
            item_states.valid_to >= greatest(living.known_until, living.landed_from + interval '1 second'), true
        )
