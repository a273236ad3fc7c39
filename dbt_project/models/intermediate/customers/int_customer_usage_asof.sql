{# Usage of a customer on the days churn is judged on. Meters have units of their own, so each item's usage is put over
   its own mean before items are averaged. What is left is at most 2 of an item, so that one that grows hides no other's
   fall, and at most 1 of a customer. #}
{% set windows = (7, 14, 28, 56, 91, 105, 364, 392) %}
{% set shares = ('usage_ratio_7_28', 'usage_ratio_28_91', 'usage_mean_28', 'zero_share_28', 'usage_year_ago') %}
{% set left = {'usage_left_28': 'left_28', 'usage_left_91': 'left_91', 'usage_left_364': 'left_364'} %}

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
        {% for window in windows -%}
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
        {% for window in (7, 14, 28, 91, 364) -%}
            {{ share_of('quantity_' ~ window, 'least(history_days, ' ~ window ~ ')', 'double') }} as mean_{{ window }},
        {% endfor -%}
        -- of earlier days, by how many days back the first and the last lie: null where there was no item yet
        {% for last, first in ((14, 105), (28, 56), (364, 392)) -%}
            {{ share_of(
                'quantity_' ~ first ~ ' - quantity_' ~ last,
                'greatest(least(history_days, ' ~ first ~ ') - ' ~ last ~ ', 0)',
                'double'
            ) }} as mean_{{ last }}_{{ first }},
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
        {{ share_of('mean_28', 'mean_364', 'double') }} as usage_mean_28,
        {{ share_of('mean_7', 'mean_28_56', 'double') }} as left_28,
        {{ share_of('mean_14', 'mean_14_105', 'double') }} as left_91,
        case
            when history_days >= 392 then {{ share_of('mean_364_392', 'mean_364', 'double') }}
        end as usage_year_ago,
        {{ share_of('mean_28', 'mean_364_392', 'double') }} as left_364
    from means

),

averaged as (

    select
        account_id,
        customer_id,
        as_of_date,
        -- decimals add up to the same in any order, doubles do not
        {% for share in shares -%}
            avg(cast({{ share }} as decimal(18, 9))) as {{ share }},
        {% endfor -%}
        {% for name, share in left.items() -%}
            avg(cast(case when {{ share }} > 2 then 2 else {{ share }} end as decimal(18, 9))) as {{ name }},
        {% endfor -%}
        min(days_since_last_usage) as days_since_last_usage
    from compared
    group by
        account_id,
        customer_id,
        as_of_date

)

select
    averaged.account_id,
    averaged.customer_id,
    averaged.as_of_date,
    {% for share in shares -%}
        averaged.{{ share }},
    {% endfor -%}
    averaged.days_since_last_usage,
    {% for name in left -%}
        case when averaged.{{ name }} > 1 then 1 else averaged.{{ name }} end as {{ name }},
    {% endfor -%}
    -- little is used, and in the same weeks of the year before little was used too
    coalesce(averaged.usage_mean_28 < 0.5 and averaged.usage_year_ago < 0.5, false) as is_seasonal,
    cast(quotas.quota_share_last as {{ double_type() }}) as quota_share_last
from averaged
left join quotas
    on
        averaged.account_id = quotas.account_id
        and averaged.customer_id = quotas.customer_id
        and averaged.as_of_date = quotas.as_of_date
