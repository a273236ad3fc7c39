with

newest as (

    {{ score_source('feature_drift', ['feature', 'segment', 'as_of']) }}

)

select * from newest
