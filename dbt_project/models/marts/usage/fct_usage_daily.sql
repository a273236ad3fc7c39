{{ config(
    materialized='incremental',
    unique_key=['account_id', 'subscription_item_id', 'usage_date'],
    incremental_strategy=incremental_strategy(),
    on_schema_change='fail',
    pre_hook=["{{ prepare_usage_read() }}", "{{ forget_usage_changed() }}"],
    post_hook="{{ remember_usage_read() }}",
) }}

with

usage_wanted as ({{ usage_unread() }}),
stretches as (

    {{ usage_stretches() }}

),

-- only numbers while all days are held: names are many times as large
used as (

    select
        stretches.stretch,
        stretches.from_day,
        usage_wanted.usage_date,
        usage_wanted.quantity
    from usage_wanted
    inner join stretches
        on
            {{ same_keys('stretches', 'usage_wanted', ['account_id', 'customer_id', 'meter_id']) }}
            and stretches.first_day <= usage_wanted.usage_date
            and stretches.to_day >= usage_wanted.usage_date

),

-- days without usage lie between two marks: days with usage, and the days around the stretch
marks as (

    select
        stretch,
        usage_date
    from used
    where usage_date >= from_day
    union all
    select
        stretch,
        from_day - 1 as usage_date
    from stretches
    where from_day <= to_day
    union all
    select
        stretch,
        to_day + 1 as usage_date
    from stretches
    where from_day <= to_day

),

spaced as (

    select
        stretch,
        usage_date,
        lead(usage_date) over (partition by stretch order by usage_date) as next_date
    from marks

),

filled as (

    select
        stretch,
        usage_date,
        quantity
    from used
    union all
    select
        stretch,
        {{ days_between('usage_date + 1', 'next_date - 1') }} as usage_date,
        cast(0 as decimal(18, 6)) as quantity
    from spaced
    where next_date > usage_date + 1

)

select
    stretches.account_id,
    stretches.subscription_item_id,
    stretches.subscription_id,
    stretches.customer_id,
    stretches.meter_id,
    stretches.meter_event_name,
    stretches.price_id,
    stretches.currency,
    filled.usage_date,
    filled.quantity,
    filled.usage_date >= stretches.counted_from as is_counted
from filled
inner join stretches
    on filled.stretch = stretches.stretch
