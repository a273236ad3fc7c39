with

quarantine as (select * from {{ source('usage', 'quarantine') }})

select
    -- ids
    account_id,
    file_id,

    -- text
    path,
    reason,

    -- numbers
    count(*) as row_count,

    -- times in UTC
    loaded_at

from quarantine
group by
    account_id,
    file_id,
    path,
    reason,
    loaded_at
