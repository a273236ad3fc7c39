{# Rows of exports that did not land, without their text: it may hold personal data. #}
with

quarantine as (select * from {{ source('exports', 'quarantine') }})

select
    -- ids
    account_id,
    file_id,

    -- text
    path,
    reason,

    -- numbers
    row_number,

    -- times in UTC
    loaded_at

from quarantine
