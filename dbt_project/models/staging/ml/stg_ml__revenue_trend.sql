with

newest as (

    {{ score_source('revenue_trend', ['account_id', 'as_of']) }}

)

select * from newest
