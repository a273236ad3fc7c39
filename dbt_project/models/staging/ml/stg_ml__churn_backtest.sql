with

newest as (

    {{ score_source('churn_backtest', ['account_id', 'customer_id', 'as_of']) }}

)

select * from newest
