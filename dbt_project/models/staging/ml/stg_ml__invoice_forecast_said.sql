with

newest as (

    {{ score_source('invoice_forecast_said', ['account_id', 'as_of']) }}

)

select * from newest
