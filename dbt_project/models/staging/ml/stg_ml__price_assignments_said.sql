with

newest as (

    {{ score_source('price_assignments_said', ['account_id', 'experiment_id']) }}

)

select * from newest
