-- Warns of each override that changes nothing because it cannot be understood; `problem` says why.
{{ config(tags=['after_ml'], severity='warn') }}
select *
from {{ ref('int_forecast_overrides') }}
where problem is not null
