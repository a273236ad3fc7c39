with

source as (select * from {{ source('ml_scores', 'usage_forecast') }}),

typed as (

    select
        {{ score_columns('usage_forecast') }}

    from source

),

newest as (

    select *
    from typed
    qualify
        rank() over (
            partition by account_id, subscription_item_id, as_of
            order by scored_at desc, run_id desc
        ) = 1

)

select * from newest
