{{ config(severity='warn', tags=['after_ml']) }}

{# Each segment of 30 forecasts and more in which the forecast does worse than its baseline; the run's summary names the
   largest of them. #}
with

card as (select * from {{ ref('forecast_report_card') }})

select *
from card
where
    is_worse_than_baseline
    and n_compared >= 30
