with

performance as (select * from {{ ref('stg_ml__model_performance') }}),
accounts as (select * from {{ ref('int_as_of') }}),

described as (

    select
        accounts.account_id,
        performance.model_name,
        performance.model_version,
        performance.as_of,
        performance.metric,
        performance.segment,
        performance.value,
        performance.baseline_value,
        performance.n,
        -- files of older runs hold held-out figures only
        coalesce(performance.said, 'training') as said,
        performance.limit_low,
        performance.limit_high,
        coalesce(performance.is_breach, false) as is_breach,
        performance.alert_key,
        performance.consequence,
        performance.run_id

    -- a model is the warehouse's: every account in it is scored by it
    from performance
    cross join accounts

)

select * from described
