with

source as (select * from {{ source('ml_scores', 'revenue_forecast') }}),

typed as (

    select
        {{ score_columns('revenue_forecast') }}

    from source

),

newest as (

    select *
    from typed
    qualify
        rank() over (
            partition by account_id, currency, as_of
            order by scored_at desc, run_id desc
        ) = 1

)

select * from newest
