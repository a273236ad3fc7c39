{# How MRR moved from month end to month end, and the one place that says which kind a movement is. In the reporting
   currency a movement is worth what it is at the month's own rate; what the rates did to the opening MRR is fx. #}
with

months as (select * from {{ ref('fct_mrr_monthly') }}),
components as (select * from {{ ref('int_mrr_changes') }}),

customer_months as (

    select
        account_id,
        customer_id,
        month_start,
        max(case when mrr_minor > 0 then month_start end) as paid_month,
        min(case when not is_living then month_start end) as gone_month
    from months
    group by
        account_id,
        customer_id,
        month_start

),

histories as (

    select
        account_id,
        customer_id,
        month_start,
        gone_month is not null as is_gone,
        max(paid_month) over earlier as last_paid_month,
        max(gone_month) over earlier as last_gone_month
    from customer_months
    window earlier as (
        partition by account_id, customer_id order by month_start
        rows between unbounded preceding and 1 preceding
    )

),

movements as (

    select
        components.*,
        components.change_minor as moved_minor,
        components.reporting_closing_minor - components.opening_at_new_rate_minor as reporting_change_minor,
        case
            when histories.last_paid_month is null then 'new'
            when histories.last_gone_month > histories.last_paid_month then 'reactivation'
            when histories.is_gone then 'churn'
            when components.change_minor > 0 then 'expansion'
            else 'contraction'
        end as movement_kind
    from components
    inner join histories
        on
            components.account_id = histories.account_id
            and components.customer_id = histories.customer_id
            and components.month_start = histories.month_start
    where components.change_minor != 0
    union all
    select
        components.*,
        0 as moved_minor,
        opening_at_new_rate_minor - reporting_opening_minor as reporting_change_minor,
        'fx' as movement_kind
    from components
    where opening_at_new_rate_minor != reporting_opening_minor

)

select
    account_id,
    customer_id,
    currency,
    month_start,
    movement_kind,
    cast(sum(case when component = 'committed' then moved_minor else 0 end) as bigint) as committed_change_minor,
    cast(sum(case when component = 'metered' then moved_minor else 0 end) as bigint) as metered_change_minor,
    cast(sum(moved_minor) as bigint) as change_minor,
    reporting_currency,
    {{ sum_if_known("case when component = 'committed' then reporting_change_minor else 0 end") }}
        as committed_reporting_change_minor,
    {{ sum_if_known("case when component = 'metered' then reporting_change_minor else 0 end") }}
        as metered_reporting_change_minor,
    {{ sum_if_known('reporting_change_minor') }} as reporting_change_minor,
    is_reconstructed
from movements
group by
    account_id,
    customer_id,
    currency,
    month_start,
    movement_kind,
    reporting_currency,
    is_reconstructed
