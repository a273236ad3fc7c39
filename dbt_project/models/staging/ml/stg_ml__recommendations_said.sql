with

newest as (

    {{ score_source('recommendations_said', ['account_id', 'as_of']) }}

)

select * from newest
