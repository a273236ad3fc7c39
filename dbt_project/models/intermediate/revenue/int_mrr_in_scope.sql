{# MRR of customers at month ends in two scopes: each currency by itself, and all of a customer's in the reporting
   currency; null there where a rate is missing. #}
with

months as (select * from {{ ref('fct_mrr_monthly') }}),

scoped as (

    select
        account_id,
        customer_id,
        currency,
        false as is_converted,
        month_start,
        mrr_minor,
        is_living
    from months
    union all
    select
        account_id,
        customer_id,
        reporting_currency as currency,
        true as is_converted,
        month_start,
        reporting_mrr_minor as mrr_minor,
        is_living
    from months

),

summed as (

    select
        account_id,
        customer_id,
        currency,
        is_converted,
        month_start,
        {{ sum_if_known('mrr_minor') }} as mrr_minor,
        bool_or(is_living) as is_living
    from scoped
    group by
        account_id,
        customer_id,
        currency,
        is_converted,
        month_start

)

select
    *,
    lag(mrr_minor, 1, 0) over earlier as opening_minor,
    lag(is_living, 1, false) over earlier as was_living,
    min(month_start) over (partition by account_id, customer_id, currency, is_converted) as cohort_month
from summed
window earlier as (partition by account_id, customer_id, currency, is_converted order by month_start)
