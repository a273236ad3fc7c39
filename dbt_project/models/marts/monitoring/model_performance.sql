with

performance as (select * from {{ ref('stg_ml__model_performance') }}),

described as (

    select
        model_name,
        model_version,
        as_of,
        metric,
        segment,
        value,
        baseline_value,
        n,
        run_id

    from performance

)

select * from described
