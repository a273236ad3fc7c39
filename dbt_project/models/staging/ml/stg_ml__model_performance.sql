with

newest as (

    {{ score_source('model_performance', ['model_name', 'model_version', 'as_of', 'metric', 'segment']) }}

)

select * from newest
