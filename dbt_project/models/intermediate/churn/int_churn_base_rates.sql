{# The share of customers that left within the horizon, over all labels that had matured on the day of a score: what was
   not known on that day is not counted. #}
with

risks as (select * from {{ ref('stg_ml__churn_risk') }}),
labels as (select * from {{ ref('int_churn_labels') }}),

scored_days as (

    select distinct
        account_id,
        as_of,
        horizon_days
    from risks

)

select
    scored_days.account_id,
    scored_days.as_of,
    scored_days.horizon_days,
    cast(avg(cast(labels.is_churned as integer)) as {{ double_type() }}) as base_rate
from scored_days
inner join labels
    on
        scored_days.account_id = labels.account_id
        and scored_days.horizon_days = labels.horizon_days
        and labels.matured_on <= scored_days.as_of
group by
    scored_days.account_id,
    scored_days.as_of,
    scored_days.horizon_days
