{# A view: what each window of usage was said to be, and when. Windows are days, hours, or those of billing periods. #}
{{ config(materialized='view') }}

{% set columns -%}
    account_id, meter_id, customer_id, window_start, window_end, aggregated_value, first_seen_at,
    {{ landing_position('raw') }} as position
{%- endset %}

with

landed as (

    select {{ columns }}, 'day' as grain from {{ source('stripe', 'meter_usage_revisions') }} as raw
    union all
    select {{ columns }}, 'hour' as grain from {{ source('stripe', 'meter_usage_hourly_revisions') }} as raw
    union all
    select {{ columns }}, grain from {{ source('stripe', 'meter_usage_period_revisions') }} as raw

),

placed as (

    select
        -- ids
        account_id,
        meter_id,
        customer_id,

        -- text
        grain,

        -- numbers: in the meter's unit
        {{ cast_or_null('aggregated_value', 'decimal(18, 6)') }} as quantity,

        -- booleans
        lead(first_seen_at) over later is null as is_current,

        -- times in UTC
        window_start,
        window_end,
        first_seen_at,
        lead(first_seen_at) over later as superseded_at

    from landed
    where {{ is_finished('first_seen_at') }}
    window later as (
        partition by account_id, meter_id, customer_id, grain, window_start, window_end
        order by first_seen_at, position
    )

)

select * from placed
