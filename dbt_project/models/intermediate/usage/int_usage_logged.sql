{# What a team's own log says that a customer used on a day, by the formula of the meter that the event's name means. #}
with

events as (select * from {{ ref('stg_usage__meter_events') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
as_of as (select * from {{ ref('int_as_of') }}),

-- a deactivated meter keeps its event name: the active one means it, or else the newest
named as (

    select
        account_id,
        meter_id,
        meter_event_name,
        aggregation_formula,
        row_number() over (
            partition by account_id, meter_event_name
            order by case when status = 'active' then 1 else 0 end desc, created_at desc, meter_id desc
        ) as choice
    from meters

),

placed as (

    select
        events.account_id,
        events.customer_id,
        events.event_name,
        named.meter_id,
        coalesce(named.aggregation_formula, 'sum') as aggregation_formula,
        events.identifier,
        events.occurred_at,
        events.loaded_at,
        cast(events.occurred_at as date) as usage_date,
        -- a number that no meter bills is null here, and the day differs
        {{ cast_or_null('events.value', 'decimal(30, 12)') }} as value_logged
    from events
    inner join as_of
        on
            events.account_id = as_of.account_id
            and events.occurred_at < as_of.known_until
    left join named
        on
            events.account_id = named.account_id
            and events.event_name = named.meter_event_name
            and named.choice = 1

),

last_values as (

    select
        account_id,
        customer_id,
        event_name,
        usage_date,
        value_logged,
        row_number() over (
            partition by account_id, customer_id, event_name, usage_date
            order by occurred_at desc, loaded_at desc, identifier desc
        ) as newest_first
    from placed
    where aggregation_formula = 'last'

),

days as (

    select
        account_id,
        customer_id,
        event_name,
        meter_id,
        aggregation_formula,
        usage_date,
        count(*) as event_count,
        sum(value_logged) as total_value
    from placed
    group by
        account_id,
        customer_id,
        event_name,
        meter_id,
        aggregation_formula,
        usage_date

)

select
    days.account_id,
    days.customer_id,
    days.event_name,
    days.meter_id,
    days.aggregation_formula,
    days.usage_date,
    days.event_count,
    {{ cast_or_null(
        "case days.aggregation_formula when 'count' then days.event_count when 'last' then last_values.value_logged "
        ~ "else days.total_value end",
        'decimal(28, 6)'
    ) }} as quantity
from days
left join last_values
    on
        {{ same_keys('days', 'last_values', ['account_id', 'customer_id', 'event_name', 'usage_date']) }}
        and last_values.newest_first = 1
