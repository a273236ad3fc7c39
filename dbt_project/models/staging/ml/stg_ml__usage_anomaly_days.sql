with

days as (select {{ score_columns('usage_anomaly_days') }} from {{ source('ml_scores', 'usage_anomaly_days') }})

select * from days
