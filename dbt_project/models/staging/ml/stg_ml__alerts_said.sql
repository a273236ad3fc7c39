with

newest as (

    {{ score_source('alerts_said', ['account_id', 'as_of']) }}

)

select * from newest
