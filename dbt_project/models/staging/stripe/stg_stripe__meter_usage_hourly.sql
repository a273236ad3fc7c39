with

revisions as (

    select
        *,
        rowid as position
    from {{ source('stripe', 'meter_usage_hourly_revisions') }}
    where {{ is_finished('first_seen_at') }}

),

latest as (

    select
        -- ids
        account_id,
        meter_id,
        customer_id,

        -- numbers: the newest revision of the window, in the meter's unit
        cast(arg_max(aggregated_value, row(first_seen_at, position)) as decimal(18, 6)) as quantity,

        -- booleans: changed since it was first seen
        count(distinct aggregated_value) > 1 as is_revised,

        -- times in UTC
        window_start,
        max(window_end) as window_end,
        cast(window_start as date) as usage_date,
        max(first_seen_at) as revised_at

    from revisions
    group by
        account_id,
        meter_id,
        customer_id,
        window_start

)

select * from latest
