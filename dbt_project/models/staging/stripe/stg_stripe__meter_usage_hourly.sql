{% set keys = ['account_id', 'meter_id', 'customer_id', 'window_start'] %}
{{ config(
    materialized='incremental',
    unique_key=keys,
    incremental_strategy=incremental_strategy(),
    on_schema_change='fail',
) }}

{{ latest_usage(source('stripe', 'meter_usage_hourly_revisions'), keys) }}
