with

logged as (select * from {{ ref('int_usage_logged') }}),
meter_usage as (select * from {{ ref('stg_stripe__meter_usage') }}),
customers as (select * from {{ ref('stg_stripe__customers') }}),
as_of as (select * from {{ ref('int_as_of') }}),

-- a log is asked about the meters that it knows, from its first day of each to its last
spans as (

    select
        account_id,
        meter_id,
        event_name,
        aggregation_formula,
        min(usage_date) as first_day,
        max(usage_date) as last_day
    from logged
    where meter_id is not null
    group by
        account_id,
        meter_id,
        event_name,
        aggregation_formula

),

summarised as (

    select
        spans.account_id,
        meter_usage.customer_id,
        spans.event_name,
        spans.meter_id,
        spans.aggregation_formula,
        meter_usage.usage_date,
        meter_usage.quantity
    from spans
    inner join as_of
        on spans.account_id = as_of.account_id
    inner join meter_usage
        on
            spans.account_id = meter_usage.account_id
            and spans.meter_id = meter_usage.meter_id
            and spans.first_day <= meter_usage.usage_date
            and spans.last_day >= meter_usage.usage_date
            and as_of.as_of >= meter_usage.usage_date

),

paired as (

    select
        coalesce(logged.account_id, summarised.account_id) as account_id,
        coalesce(logged.customer_id, summarised.customer_id) as customer_id,
        coalesce(logged.event_name, summarised.event_name) as event_name,
        coalesce(logged.meter_id, summarised.meter_id) as meter_id,
        coalesce(logged.aggregation_formula, summarised.aggregation_formula) as aggregation_formula,
        coalesce(logged.usage_date, summarised.usage_date) as usage_date,
        coalesce(logged.event_count, 0) as event_count,
        logged.event_count is not null and logged.quantity is null as is_unreadable,
        logged.quantity as logged_quantity,
        cast(summarised.quantity as decimal(28, 6)) as stripe_quantity,
        coalesce(logged.quantity, 0) - coalesce(summarised.quantity, 0) as difference_quantity
    from logged
    full outer join summarised
        on {{ same_keys('logged', 'summarised', ['account_id', 'customer_id', 'event_name', 'usage_date']) }}

),

judged as (

    select
        paired.*,
        -- Stripe takes events up to 35 days late
        paired.usage_date + 36 <= as_of.as_of as is_final,
        case
            when paired.meter_id is null then 'unknown_meter'
            when customers.customer_id is null then 'unknown_customer'
            when not paired.is_unreadable and paired.difference_quantity = 0 then 'matches'
            when paired.usage_date + 36 > as_of.as_of then 'waiting'
            when coalesce(paired.stripe_quantity, 0) = 0 and not paired.is_unreadable then 'missing_in_stripe'
            when paired.event_count = 0 then 'missing_in_log'
            else 'differs'
        end as status
    from paired
    inner join as_of
        on paired.account_id = as_of.account_id
    left join customers
        on
            paired.account_id = customers.account_id
            and paired.customer_id = customers.customer_id

)

select
    account_id,
    customer_id,
    event_name,
    meter_id,
    aggregation_formula,
    usage_date,
    cast(event_count as bigint) as event_count,
    logged_quantity,
    stripe_quantity,
    cast(difference_quantity as decimal(28, 6)) as difference_quantity,
    is_final,
    status
from judged
