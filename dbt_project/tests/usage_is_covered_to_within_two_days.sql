{{ config(severity='warn') }}

-- Fails for each active meter whose usage the loads have not read up to two days before Stripe's clock at the last one.
with

meters as (select * from {{ ref('stg_stripe__meters') }}),
load_report as (select * from {{ ref('stg_stripe__load_report') }}),

last_load as (

    select
        account_id,
        max(server_now) as server_now
    from load_report
    group by account_id

),

covered as (

    select
        account_id,
        meter_id,
        max(covered_until) as covered_until
    from load_report
    where kind = 'meter_usage'
    group by
        account_id,
        meter_id

)

select
    meters.account_id,
    meters.meter_id,
    covered.covered_until,
    last_load.server_now
from meters
inner join last_load on meters.account_id = last_load.account_id
left join covered
    on
        meters.account_id = covered.account_id
        and meters.meter_id = covered.meter_id
where
    meters.status = 'active'
    and not meters.is_deleted
    and (
        covered.covered_until is null
        or covered.covered_until < last_load.server_now - interval '2 days'
    )
