with

newest as (

    {{ score_source('usage_period_said', ['account_id', 'as_of']) }}

)

select * from newest
