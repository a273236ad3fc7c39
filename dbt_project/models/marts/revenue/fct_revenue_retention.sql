with

customers as (select * from {{ ref('int_mrr_in_scope') }}),
movements as (select * from {{ ref('fct_mrr_movements') }}),

scoped_movements as (

    select
        account_id,
        currency,
        false as is_converted,
        month_start,
        movement_kind,
        change_minor
    from movements
    union all
    select
        account_id,
        reporting_currency as currency,
        true as is_converted,
        month_start,
        movement_kind,
        reporting_change_minor as change_minor
    from movements

),

moved as (

    select
        account_id,
        currency,
        is_converted,
        month_start,
        {{ sum_if_known("case when movement_kind = 'new' then change_minor else 0 end") }} as new_minor,
        {{ sum_if_known("case when movement_kind = 'expansion' then change_minor else 0 end") }} as expansion_minor,
        {{ sum_if_known("case when movement_kind = 'reactivation' then change_minor else 0 end") }}
            as reactivation_minor,
        {{ sum_if_known("case when movement_kind = 'contraction' then change_minor else 0 end") }} as contraction_minor,
        {{ sum_if_known("case when movement_kind = 'churn' then change_minor else 0 end") }} as churn_minor,
        {{ sum_if_known("case when movement_kind = 'fx' then change_minor else 0 end") }} as fx_minor
    from scoped_movements
    group by
        account_id,
        currency,
        is_converted,
        month_start

),

stood as (

    select
        account_id,
        currency,
        is_converted,
        month_start,
        {{ sum_if_known('opening_minor') }} as opening_minor,
        {{ sum_if_known('mrr_minor') }} as closing_minor,
        cast(sum(case when was_living then 1 else 0 end) as bigint) as customers_opening,
        cast(sum(case when month_start = cohort_month and is_living then 1 else 0 end) as bigint) as customers_new,
        cast(sum(case when month_start > cohort_month and is_living and not was_living then 1 else 0 end) as bigint)
            as customers_returned,
        cast(sum(case when was_living and not is_living then 1 else 0 end) as bigint) as customers_churned,
        cast(sum(case when is_living then 1 else 0 end) as bigint) as customers_closing
    from customers
    group by
        account_id,
        currency,
        is_converted,
        month_start

),

bridged as (

    select
        stood.*,
        -- a month without any movement has moved by nothing
        case when moved.month_start is null then 0 else moved.new_minor end as new_minor,
        case when moved.month_start is null then 0 else moved.expansion_minor end as expansion_minor,
        case when moved.month_start is null then 0 else moved.reactivation_minor end as reactivation_minor,
        case when moved.month_start is null then 0 else moved.contraction_minor end as contraction_minor,
        case when moved.month_start is null then 0 else moved.churn_minor end as churn_minor,
        case when moved.month_start is null then 0 else moved.fx_minor end as fx_minor
    from stood
    left join moved
        on
            stood.account_id = moved.account_id
            and stood.currency = moved.currency
            and stood.is_converted = moved.is_converted
            and stood.month_start = moved.month_start

)

select
    account_id,
    currency,
    is_converted,
    month_start,
    opening_minor,
    new_minor,
    expansion_minor,
    reactivation_minor,
    contraction_minor,
    churn_minor,
    fx_minor,
    closing_minor,
    12 * closing_minor as arr_minor,
    {{ share_of('opening_minor + contraction_minor + churn_minor', 'opening_minor') }} as gross_retention,
    {{ share_of('closing_minor - new_minor - reactivation_minor - fx_minor', 'opening_minor') }} as net_retention,
    {{ share_of('new_minor + expansion_minor + reactivation_minor', '-(contraction_minor + churn_minor)') }}
        as quick_ratio,
    customers_opening,
    customers_new,
    customers_returned,
    customers_churned,
    customers_closing,
    {{ share_of('customers_churned', 'customers_opening') }} as logo_churn
from bridged
