with

newest as (

    {{ score_source('feature_drift', ['as_of']) }}

)

select * from newest
