{# What was paid back or claimed back of a charge by as_of. An inquiry (a warning) takes no money yet. #}
with

refunds as (select * from {{ ref('stg_stripe__refunds') }}),
disputes as (select * from {{ ref('stg_stripe__disputes') }}),
as_of as (select * from {{ ref('int_as_of') }}),

given_back as (

    select
        account_id,
        charge_id,
        refund_id as object_id,
        created_at,
        amount_minor as refunded_minor,
        0 as disputed_minor,
        cast(null as {{ text_type() }}) as dispute_status
    from refunds
    where
        charge_id is not null
        and coalesce(status, '') not in ('failed', 'canceled')
        and not is_deleted
    union all
    select
        account_id,
        charge_id,
        dispute_id as object_id,
        created_at,
        0 as refunded_minor,
        case when status like 'warning%' or status in ('won', 'prevented') then 0 else amount_minor end
            as disputed_minor,
        status as dispute_status
    from disputes
    where
        charge_id is not null
        and not is_deleted

)

select
    given_back.account_id,
    given_back.charge_id,
    cast(sum(given_back.refunded_minor) as bigint) as refunded_minor,
    cast(sum(given_back.disputed_minor) as bigint) as disputed_minor,
    {{ latest_by('given_back.dispute_status', ['given_back.created_at', 'given_back.object_id']) }} as dispute_status
from given_back
inner join as_of
    on
        given_back.account_id = as_of.account_id
        and given_back.created_at < as_of.known_until
group by
    given_back.account_id,
    given_back.charge_id
