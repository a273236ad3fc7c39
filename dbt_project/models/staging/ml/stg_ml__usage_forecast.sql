with

newest as (

    {{ score_source('usage_forecast', ['account_id', 'subscription_item_id', 'as_of']) }}

)

select * from newest
