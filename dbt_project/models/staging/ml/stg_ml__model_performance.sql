with

source as (select * from {{ source('ml_scores', 'model_performance') }}),

typed as (

    select
        {{ score_columns('model_performance') }}

    from source

),

newest as (

    select *
    from typed
    qualify
        rank() over (
            partition by model_name, model_version, as_of, metric, segment
            order by scored_at desc, run_id desc
        ) = 1

)

select * from newest
