{# Month ends up to as_of; the last month is valued at as_of itself. #}
with

subscriptions as (select * from {{ ref('int_subscriptions') }}),
as_of as (select * from {{ ref('int_as_of') }}),

spans as (

    select
        as_of.account_id,
        as_of.as_of,
        {{ month_start('min(subscriptions.started_at)') }} as first_month,
        {{ month_start('as_of.as_of') }} as last_month
    from as_of
    inner join subscriptions
        on as_of.account_id = subscriptions.account_id
    group by
        as_of.account_id,
        as_of.as_of

),

days as (

    select
        account_id,
        as_of,
        {{ days_between('first_month', 'last_month') }} as day
    from spans

),

months as (

    select
        account_id,
        day as month_start,
        least({{ month_end('day') }}, as_of) as valued_on
    from days
    where day = {{ month_start('day') }}

)

select
    account_id,
    month_start,
    valued_on,
    {{ end_of_day('valued_on') }} as valued_until
from months
