with

runs as (select {{ score_columns('usage_anomaly_runs') }} from {{ source('ml_scores', 'usage_anomaly_runs') }})

select * from runs
