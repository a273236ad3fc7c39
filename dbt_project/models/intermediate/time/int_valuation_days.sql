{# Month ends up to as_of, in the time zone of int_as_of; the last month is valued at the end of as_of, a UTC day. #}
with

subscriptions as (select * from {{ ref('int_subscriptions') }}),
as_of as (select * from {{ ref('int_as_of') }}),

spans as (

    select
        as_of.account_id,
        as_of.time_zone,
        {{ end_of_day('as_of.as_of') }} as known_to,
        {{ local_day('min(subscriptions.started_at)', 'as_of.time_zone') }} as first_day,
        -- where it is evening when UTC's day ends, the day is not over
        {{ local_day(end_of_day('as_of.as_of') ~ " - interval '1 microsecond'", 'as_of.time_zone') }} as last_day
    from as_of
    inner join subscriptions
        on as_of.account_id = subscriptions.account_id
    group by
        as_of.account_id,
        as_of.time_zone,
        as_of.as_of

),

days as (

    select
        account_id,
        time_zone,
        known_to,
        last_day,
        {{ days_between(month_start('first_day'), 'last_day') }} as day
    from spans

),

months as (

    select
        account_id,
        time_zone,
        known_to,
        day as month_start,
        least({{ month_end('day') }}, last_day) as valued_on
    from days
    where day = {{ month_start('day') }}

)

select
    account_id,
    month_start,
    valued_on,
    least({{ end_of_day_in('valued_on', 'time_zone') }}, known_to) as valued_until
from months
