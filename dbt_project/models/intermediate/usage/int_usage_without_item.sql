{# Usage that nobody is billed for: no item of the customer was there to carry it that day. #}
{% set group = ['account_id', 'customer_id', 'meter_id'] %}
{{ config(
    materialized='incremental',
    unique_key=group + ['usage_date'],
    incremental_strategy=incremental_strategy(),
    on_schema_change='fail',
    pre_hook=["{{ prepare_usage_read() }}", "{{ forget_usage_changed() }}"],
    post_hook="{{ remember_usage_read() }}",
) }}

with

spans as (select * from {{ ref('int_usage_spans') }}),
as_of as (select * from {{ ref('int_as_of') }}),
usage_wanted as ({{ usage_unread() }}),

reached as (

    select
        account_id,
        customer_id,
        meter_id,
        first_day,
        max(coalesce(last_day, date '9999-12-30')) over (
            partition by account_id, customer_id, meter_id
            order by first_day, subscription_item_id rows between unbounded preceding and 1 preceding
        ) as covered_until
    from spans

),

-- days between two items, of which there are few
holes as (

    select *
    from reached
    where first_day > covered_until + 1

),

lives as (

    select
        account_id,
        customer_id,
        meter_id,
        min(first_day) as first_day,
        max(coalesce(last_day, date '9999-12-30')) as last_day
    from spans
    group by
        account_id,
        customer_id,
        meter_id

),

uncarried as (

    select usage_wanted.*
    from usage_wanted
    left join lives
        on {{ same_keys('usage_wanted', 'lives', group) }}
    where
        lives.account_id is null
        or usage_wanted.usage_date < lives.first_day
        or usage_wanted.usage_date > lives.last_day
    union all
    select usage_wanted.*
    from usage_wanted
    inner join holes
        on
            {{ same_keys('usage_wanted', 'holes', group) }}
            and holes.covered_until < usage_wanted.usage_date
            and holes.first_day > usage_wanted.usage_date

)

select
    uncarried.account_id,
    uncarried.customer_id,
    uncarried.meter_id,
    uncarried.usage_date,
    uncarried.quantity
from uncarried
inner join as_of
    on
        uncarried.account_id = as_of.account_id
        and uncarried.usage_date <= as_of.as_of
