{% set horizon_days = 90 %}
{# Silence is known only when its 30 days are over. #}
{% set settling_days = 30 %}

with

customer_days as (select * from {{ ref('int_customer_days') }}),
churn_dates as (select * from {{ ref('int_churn_dates') }}),
as_of as (select * from {{ ref('int_as_of') }}),

labelled as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        customer_days.is_backfilled,
        {{ horizon_days }} as horizon_days,
        count(churn_dates.churned_on) > 0 as is_churned,
        customer_days.as_of_date + {{ horizon_days + settling_days }} as matured_on,
        customer_days.as_of_date + {{ horizon_days + settling_days }} <= as_of.as_of as is_mature
    from customer_days
    inner join as_of
        on customer_days.account_id = as_of.account_id
    left join churn_dates
        on
            customer_days.account_id = churn_dates.account_id
            and customer_days.customer_id = churn_dates.customer_id
            and churn_dates.churned_on > customer_days.as_of_date
            and churn_dates.churned_on <= customer_days.as_of_date + {{ horizon_days }}
    group by
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        customer_days.is_backfilled,
        as_of.as_of

)

select * from labelled
