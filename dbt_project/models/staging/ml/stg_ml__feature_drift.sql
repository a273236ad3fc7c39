with

source as (select * from {{ source('ml_scores', 'feature_drift') }}),

typed as (

    select
        {{ score_columns('feature_drift') }}

    from source

),

newest as (

    select *
    from typed
    qualify
        rank() over (
            partition by feature, segment, as_of
            order by scored_at desc, run_id desc
        ) = 1

)

select * from newest
