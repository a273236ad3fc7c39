{# What a subscription item was: its price and quantity as events and loads told them, from the day before the first
   load on. Between two observations the earlier one holds, and before the first the item was what that says. #}
with

observations as (select * from {{ ref('int_subscription_observations') }}),
versions as (select * from {{ ref('stg_stripe__versions') }} where kind = 'subscription_items'),
items as (select * from {{ ref('stg_stripe__subscription_items') }}),
as_of as (select * from {{ ref('int_as_of') }}),

told as (select * from observations where items is not null),

embedded as (

    select
        account_id,
        subscription_id,
        observed_at,
        loaded_at,
        turn,
        place,
        {{ text_in_json('entry', '$.id') }} as subscription_item_id,
        {{ text_in_json('entry', '$.price.id') }} as price_id,
        {{ text_in_json('entry', '$.quantity') }} as quantity
    from ({{ entries_of_json('told', 'items', [
        'account_id', 'subscription_id', 'observed_at', 'loaded_at', 'turn', 'place'
    ]) }}) as entries

),

observed as (

    -- an item that an event does not list was not there
    select
        told.account_id,
        items.subscription_item_id,
        told.observed_at,
        told.loaded_at,
        told.turn,
        told.place,
        embedded.price_id,
        embedded.quantity
    from told
    inner join items
        on
            told.account_id = items.account_id
            and told.subscription_id = items.subscription_id
    left join embedded
        on
            told.account_id = embedded.account_id
            and told.subscription_id = embedded.subscription_id
            and told.observed_at = embedded.observed_at
            and told.loaded_at = embedded.loaded_at
            and told.turn = embedded.turn
            and told.place = embedded.place
            and items.subscription_item_id = embedded.subscription_item_id
    union all
    select
        account_id,
        id as subscription_item_id,
        loaded_at as observed_at,
        loaded_at,
        3 as turn,
        position as place,
        case when not is_deleted then {{ text_in_json('payload', '$.price.id') }} end as price_id,
        {{ text_in_json('payload', '$.quantity') }} as quantity
    from versions

),

ordered as (

    select
        observed.account_id,
        observed.subscription_item_id,
        items.subscription_id,
        observed.price_id,
        {{ cast_or_null('observed.quantity', 'decimal(18, 6)') }} as quantity,
        case
            when row_number() over later = 1 then least(observed.observed_at, items.created_at)
            else observed.observed_at
        end as valid_from,
        lead(observed.observed_at) over later as valid_to
    from observed
    inner join items
        on
            observed.account_id = items.account_id
            and observed.subscription_item_id = items.subscription_item_id
    window later as (
        partition by observed.account_id, observed.subscription_item_id
        order by observed.observed_at, observed.loaded_at, observed.turn, observed.place
    )

)

select
    ordered.account_id,
    ordered.subscription_item_id,
    ordered.subscription_id,
    ordered.price_id,
    ordered.quantity,
    greatest(ordered.valid_from, as_of.landed_from) as valid_from,
    ordered.valid_to
from ordered
inner join as_of
    on ordered.account_id = as_of.account_id
where
    ordered.price_id is not null
    and coalesce(ordered.valid_to > greatest(ordered.valid_from, as_of.landed_from), true)
