{# The history of the few windows that were revised, of days and of billing periods: cheaper than a look at all. #}
{% set columns -%}
    account_id, meter_id, customer_id, window_start, window_end, aggregated_value, first_seen_at,
    {{ landing_position() }} as position
{%- endset %}

with

day_values as (
    select {{ columns }} from {{ source('stripe', 'meter_usage_revisions') }} where {{ is_finished('first_seen_at') }}
),
period_values as (
    select {{ columns }} from {{ source('stripe', 'meter_usage_period_revisions') }}
    where {{ is_finished('first_seen_at') }}
),
days as (select * from {{ ref('stg_stripe__meter_usage') }} where is_revised),
periods as (select * from {{ ref('stg_stripe__meter_period_usage') }} where is_revised),

revised as (

    select
        'day' as grain,
        day_values.*
    from day_values
    inner join days
        on {{ same_keys('day_values', 'days', ['account_id', 'meter_id', 'customer_id', 'window_start']) }}
    union all
    select
        'period' as grain,
        period_values.*
    from period_values
    inner join periods
        on
            {{ same_keys(
                'period_values', 'periods', ['account_id', 'meter_id', 'customer_id', 'window_start', 'window_end']
            ) }}

),

placed as (

    select
        -- ids
        account_id,
        meter_id,
        customer_id,

        -- text
        grain,

        -- numbers: in the meter's unit; the first value is 1
        row_number() over later as revision,
        {{ cast_or_null('aggregated_value', 'decimal(18, 6)') }} as quantity,

        -- times in UTC; a day's windows are told by their start
        window_start,
        window_end,
        cast(window_start as date) as usage_date,
        first_seen_at,
        lead(first_seen_at) over later as superseded_at

    from revised
    window later as (
        partition by
            grain, account_id, meter_id, customer_id, window_start, case when grain = 'period' then window_end end
        order by first_seen_at, position
    )

)

select * from placed
