with

source as (select * from {{ source('ml_scores', 'churn_risk') }}),

typed as (

    select
        {{ score_columns('churn_risk') }}

    from source

),

newest as (

    select *
    from typed
    qualify
        rank() over (
            partition by account_id, customer_id, as_of
            order by scored_at desc, run_id desc
        ) = 1

)

select * from newest
