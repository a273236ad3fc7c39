-- Company totals: what items count, and what no item carries, is all that the meters' windows say, no more and no less.
with

as_of as (select * from {{ ref('int_as_of') }}),
meter_usage as (select * from {{ ref('stg_stripe__meter_usage') }}),

counted as (

    select
        account_id,
        meter_id,
        quantity
    from {{ ref('fct_usage_daily') }}
    where is_counted
    union all
    select
        account_id,
        meter_id,
        quantity
    from {{ ref('int_usage_without_item') }}
    union all
    select
        meter_usage.account_id,
        meter_usage.meter_id,
        -meter_usage.quantity as quantity
    from meter_usage
    inner join as_of
        on
            meter_usage.account_id = as_of.account_id
            and meter_usage.usage_date <= as_of.as_of

)

select
    account_id,
    meter_id,
    sum(quantity) as difference
from counted
group by
    account_id,
    meter_id
having sum(quantity) != 0
