{# Usage as it was known then: for each item-day that was revised, what it was said to be before, and on which origins.
   An origin knows what was first seen by the end of its day; of a day that was loaded later, what its first load saw. #}
with

revisions as (select * from {{ ref('stg_stripe__meter_usage_revisions') }} where grain = 'day'),
meter_usage as (select * from {{ ref('stg_stripe__meter_usage') }}),
cover as (select * from {{ ref('int_usage_cover') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }}),

-- no window, though the day was loaded: nothing had been used by then
unseen as (

    select
        meter_usage.account_id,
        meter_usage.meter_id,
        meter_usage.customer_id,
        meter_usage.usage_date,
        cast(0 as decimal(18, 6)) as quantity,
        cover.covered_at as first_seen_at,
        meter_usage.first_seen_at as superseded_at
    from meter_usage
    inner join cover
        on
            meter_usage.account_id = cover.account_id
            and meter_usage.meter_id = cover.meter_id
            and meter_usage.usage_date = cover.usage_date
            and meter_usage.first_seen_at > cover.covered_at

),

superseded as (

    select
        account_id,
        meter_id,
        customer_id,
        usage_date,
        quantity,
        first_seen_at,
        superseded_at
    from revisions
    where superseded_at is not null
    union all
    select * from unseen

),

dated as (

    select
        superseded.account_id,
        superseded.meter_id,
        superseded.customer_id,
        superseded.usage_date,
        superseded.quantity,
        case
            -- where no report says when the day was loaded, its first value did
            when superseded.first_seen_at <= coalesce(
                cover.covered_at,
                min(superseded.first_seen_at) over (
                    partition by
                        superseded.account_id, superseded.meter_id, superseded.customer_id, superseded.usage_date
                )
            ) then superseded.usage_date
            else cast(superseded.first_seen_at as date)
        end as known_from,
        case
            when superseded.superseded_at <= cover.covered_at then superseded.usage_date
            else cast(superseded.superseded_at as date)
        end as known_until
    from superseded
    left join cover
        on
            superseded.account_id = cover.account_id
            and superseded.meter_id = cover.meter_id
            and superseded.usage_date = cover.usage_date

)

select
    usage_daily.account_id,
    usage_daily.subscription_item_id,
    dated.usage_date,
    dated.known_from,
    dated.known_until,
    dated.quantity as known_quantity,
    dated.quantity - usage_daily.quantity as difference_quantity
from dated
inner join usage_daily
    on {{ same_keys('dated', 'usage_daily', ['account_id', 'meter_id', 'customer_id', 'usage_date']) }}
where
    dated.known_from < dated.known_until
    and dated.quantity != usage_daily.quantity
