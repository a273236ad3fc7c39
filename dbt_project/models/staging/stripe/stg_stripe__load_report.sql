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
        how,

        -- numbers
        rows_read,
        rows_appended,
        requests,
        coalesce(retries, 0) as retries,
        coalesce(problems, 0) as problems,

        -- booleans
        livemode,

        -- times in UTC by Stripe's clock; covered_until is exclusive
        covered_until,
        server_now,
        started_at,
        finished_at,
        loaded_at,

        -- time in UTC by the loader's own clock
        recorded_at

    from source

)

select * from renamed
