with

files as (select * from {{ source('usage', 'files') }})

select
    -- ids
    account_id,
    file_id,

    -- text
    path,
    fingerprint,

    -- numbers: bytes, and rows by what became of them
    size_bytes,
    row_count,
    landed as landed_count,
    duplicates as duplicate_count,
    conflicts as conflict_count,
    quarantined as quarantined_count,

    -- times in UTC
    loaded_at

from files
