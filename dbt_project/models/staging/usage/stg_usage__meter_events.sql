with

events as (select * from {{ source('usage', 'meter_events') }})

select
    -- ids
    account_id,
    identifier,
    customer_id,
    file_id,

    -- text
    event_name,

    -- numbers: in the meter's unit
    value,

    -- times in UTC
    occurred_at,
    loaded_at

from events
