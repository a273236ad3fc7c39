with

source as (select * from {{ source('stripe', 'load_problems') }}),

renamed as (

    select distinct
        -- ids
        account_id,
        run_id,

        -- text
        kind,
        problem,
        example,

        -- numbers
        occurrences,

        -- booleans
        is_fatal,

        -- times in UTC
        loaded_at

    from source

)

select * from renamed
