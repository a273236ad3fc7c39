with

newest as (

    {{ score_source('revenue_forecast_said', ['account_id', 'as_of']) }}

)

select * from newest
