{# MRR of subscriptions now, committed and metered, and what their items' metered MRR is expected to be at the ends of
   the next three months; whoever has either. #}
{% set amounts = [
    'committed_mrr_minor', 'metered_mrr_minor', 'carried_minor', 'level_1_minor', 'level_2_minor', 'level_3_minor'
] %}
with

months as (select * from {{ ref('int_subscription_months') }}),
items as (select * from {{ ref('int_metered_items_ahead') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),
as_of as (select * from {{ ref('int_as_of') }}),

together as (

    select
        months.account_id,
        months.subscription_id,
        months.customer_id,
        months.currency,
        months.plan,
        months.committed_mrr_minor,
        cast(0 as bigint) as metered_mrr_minor,
        cast(0 as bigint) as carried_minor,
        cast(0 as bigint) as level_1_minor,
        cast(0 as bigint) as level_2_minor,
        cast(0 as bigint) as level_3_minor,
        false as has_paths
    from months
    inner join as_of
        on
            months.account_id = as_of.account_id
            and months.month_start = {{ month_start('as_of.as_of') }}
    union all
    select
        account_id,
        subscription_id,
        customer_id,
        currency,
        cast(null as {{ text_type() }}) as plan,
        cast(0 as bigint) as committed_mrr_minor,
        now_minor as metered_mrr_minor,
        -- without a forecast of its periods an item follows the trend from today
        case when has_paths then 0 else now_minor end as carried_minor,
        case when has_paths then level_1_minor else 0 end as level_1_minor,
        case when has_paths then level_2_minor else 0 end as level_2_minor,
        case when has_paths then level_3_minor else 0 end as level_3_minor,
        has_paths
    from items

)

select
    together.account_id,
    together.subscription_id,
    together.customer_id,
    together.currency,
    coalesce(max(together.plan), max(subscriptions.plan), 'none') as plan,
    bool_or(together.has_paths) as has_paths,
    {{ sums_of(amounts, 'together') }}
from together
left join subscriptions
    on
        together.account_id = subscriptions.account_id
        and together.subscription_id = subscriptions.subscription_id
group by
    together.account_id,
    together.subscription_id,
    together.customer_id,
    together.currency
