{# A run that says it no more takes nothing back: it was published, and people may have acted on it. #}
with

newest as (

    {{ score_source('recommendations_said', ['account_id', 'as_of', 'recommendation_id']) }}

)

select * from newest
