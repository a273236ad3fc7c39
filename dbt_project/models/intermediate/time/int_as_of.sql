{# The only model that knows what day it is: the day that every other model values things at. #}
with

accounts as (select * from {{ ref('stg_stripe__accounts') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
load_report as (
    select
        *,
        min(loaded_at) over (partition by account_id) as first_loaded_at
    from {{ ref('stg_stripe__load_report') }}
),

meters_covered as (

    select
        load_report.account_id,
        load_report.meter_id,
        max(load_report.covered_until) as covered_until
    from load_report
    inner join meters
        on
            load_report.account_id = meters.account_id
            and load_report.meter_id = meters.meter_id
            and meters.status = 'active'
    where load_report.kind = 'meter_usage'
    group by
        load_report.account_id,
        load_report.meter_id

),

accounts_covered as (

    select
        account_id,
        min(covered_until) as covered_until
    from meters_covered
    group by account_id

),

clocks as (

    select
        account_id,
        max(server_now) as server_now,
        min(first_loaded_at) as first_loaded_at,
        min(case when loaded_at = first_loaded_at then covered_until end) as first_covered_until
    from load_report
    group by account_id

),

dated as (

    select
        accounts.account_id,
        coalesce(
            cast({{ as_of_asked() }} as date),
            cast(accounts_covered.covered_until as date) - 1,
            cast(clocks.server_now as date) - 1
        ) as as_of,
        -- the day that the first load closed: what it read says how things stood from then on
        cast(
            cast(coalesce(clocks.first_covered_until, clocks.first_loaded_at) as date) - 1 as timestamp
        ) as landed_from,
        {{ zone_of('accounts.time_zone') }} as time_zone
    from accounts
    left join accounts_covered
        on accounts.account_id = accounts_covered.account_id
    left join clocks
        on accounts.account_id = clocks.account_id

),

bounded as (

    select
        account_id,
        as_of,
        landed_from,
        time_zone,
        -- a replay forgets what came later; a normal run shows today's invoices as landed
        case
            when {{ as_of_asked() }} is null then timestamp '9999-12-31 00:00:00'
            else {{ end_of_day('as_of') }}
        end as known_until
    from dated

)

select * from bounded
