{# For each customer, currency and month: last month's MRR and the movements are this month's, of each component and in
   the reporting currency. #}
with

months as (select * from {{ ref('fct_mrr_monthly') }}),
movements as (select * from {{ ref('fct_mrr_movements') }}),

moved as (

    select
        account_id,
        customer_id,
        currency,
        month_start,
        sum(committed_change_minor) as committed_minor,
        sum(metered_change_minor) as metered_minor,
        {{ sum_if_known('reporting_change_minor') }} as reporting_minor
    from movements
    group by
        account_id,
        customer_id,
        currency,
        month_start

),

compared as (

    select
        months.*,
        lag(months.committed_mrr_minor, 1, 0) over earlier as committed_opening_minor,
        lag(months.metered_mrr_minor, 1, 0) over earlier as metered_opening_minor,
        lag(months.reporting_mrr_minor, 1, 0) over earlier as reporting_opening_minor,
        coalesce(moved.committed_minor, 0) as committed_moved_minor,
        coalesce(moved.metered_minor, 0) as metered_moved_minor,
        case when moved.month_start is null then 0 else moved.reporting_minor end as reporting_moved_minor
    from months
    left join moved
        on
            months.account_id = moved.account_id
            and months.customer_id = moved.customer_id
            and months.currency = moved.currency
            and months.month_start = moved.month_start
    window earlier as (
        partition by months.account_id, months.customer_id, months.currency order by months.month_start
    )

)

select *
from compared
where
    committed_opening_minor + committed_moved_minor != committed_mrr_minor
    or metered_opening_minor + metered_moved_minor != metered_mrr_minor
    or reporting_opening_minor + reporting_moved_minor != reporting_mrr_minor
