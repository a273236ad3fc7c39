{# Usage of a customer on the days churn is judged on. Meters have units of their own, so each item's usage is put over
   its own mean before items are averaged. #}
with

item_days as (select * from {{ ref('int_customer_items_asof') }}),
corrected as (select * from {{ ref('int_customer_items_corrected') }}),
quotas as (select * from {{ ref('int_customer_quotas_asof') }}),

known as (

    select
        item_days.account_id,
        item_days.customer_id,
        item_days.as_of_date,
        item_days.history_days,
        {% for window in (7, 28, 91, 364) -%}
            item_days.quantity_{{ window }} + coalesce(corrected.difference_{{ window }}, 0) as quantity_{{ window }},
        {% endfor -%}
        item_days.zero_days_28 + coalesce(corrected.zero_days_28, 0) as zero_days_28,
        case
            when corrected.first_flip_on is not null then corrected.last_used_on
            else item_days.last_used_on
        end as last_used_on
    from item_days
    left join corrected
        on {{ same_keys('item_days', 'corrected', ['account_id', 'subscription_item_id', 'as_of_date']) }}

),

means as (

    select
        *,
        {% for window in (7, 28, 91, 364) -%}
            {{ share_of('quantity_' ~ window, 'least(history_days, ' ~ window ~ ')', 'double') }} as mean_{{ window }},
        {% endfor -%}
        {{ share_of('zero_days_28', 'least(history_days, 28)', 'double') }} as zero_share_28,
        {{ days_from('last_used_on', 'as_of_date') }} as days_since_last_usage
    from known

),

compared as (

    select
        *,
        {{ share_of('mean_7', 'mean_28', 'double') }} as usage_ratio_7_28,
        {{ share_of('mean_28', 'mean_91', 'double') }} as usage_ratio_28_91,
        {{ share_of('mean_28', 'mean_364', 'double') }} as usage_mean_28
    from means

),

averaged as (

    select
        account_id,
        customer_id,
        as_of_date,
        -- decimals add up to the same in any order, doubles do not
        avg(cast(usage_ratio_7_28 as decimal(18, 9))) as usage_ratio_7_28,
        avg(cast(usage_ratio_28_91 as decimal(18, 9))) as usage_ratio_28_91,
        avg(cast(usage_mean_28 as decimal(18, 9))) as usage_mean_28,
        avg(cast(zero_share_28 as decimal(18, 9))) as zero_share_28,
        min(days_since_last_usage) as days_since_last_usage
    from compared
    group by
        account_id,
        customer_id,
        as_of_date

)

select
    averaged.*,
    cast(quotas.quota_share_last as {{ double_type() }}) as quota_share_last
from averaged
left join quotas
    on
        averaged.account_id = quotas.account_id
        and averaged.customer_id = quotas.customer_id
        and averaged.as_of_date = quotas.as_of_date
