with

newest as (

    {{ score_source('revenue_forecast', ['account_id', 'currency', 'as_of']) }}

)

select * from newest
