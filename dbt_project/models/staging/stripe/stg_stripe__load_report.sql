with

source as (select * from {{ source('stripe', 'load_report') }}),

renamed as (

    select distinct
        -- ids
        account_id,
        run_id,
        meter_id,

        -- text
        kind,

        -- numbers
        rows_read,
        rows_appended,
        requests,

        -- booleans
        livemode,

        -- times in UTC; covered_until is exclusive
        covered_until,
        server_now,
        started_at,
        finished_at

    from source

)

select * from renamed
