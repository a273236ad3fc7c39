with

customers as (select * from {{ ref('int_mrr_in_scope') }}),

cohorts as (

    select
        account_id,
        currency,
        is_converted,
        cohort_month,
        month_start,
        {{ months_from('cohort_month', 'month_start') }} as months_since,
        count(*) as customers_at_start,
        cast(sum(case when is_living then 1 else 0 end) as bigint) as customers_living,
        cast(sum(case when mrr_minor > 0 then 1 else 0 end) as bigint) as customers_paying,
        {{ sum_if_known('mrr_minor') }} as mrr_minor
    from customers
    group by
        account_id,
        currency,
        is_converted,
        cohort_month,
        month_start

),

started as (

    select
        *,
        first_value(mrr_minor) over (
            partition by account_id, currency, is_converted, cohort_month order by month_start
        ) as mrr_at_start_minor
    from cohorts

)

select
    account_id,
    currency,
    is_converted,
    cohort_month,
    cast(months_since as integer) as months_since,
    month_start,
    customers_at_start,
    customers_living,
    customers_paying,
    mrr_at_start_minor,
    mrr_minor,
    {{ share_of('customers_living', 'customers_at_start') }} as customer_retention,
    {{ share_of('mrr_minor', 'mrr_at_start_minor') }} as revenue_retention
from started
