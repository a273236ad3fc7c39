{# A view: the weeks that origins look back on day by day, one series per item as they are today, and one more per
   origin at which they were known to be otherwise. #}
{{ config(materialized='view') }}

{% set columns = [
    'account_id', 'subscription_item_id', 'week_end', 'days', 'days_until', 'quantity', 'quantity_91', 'quantity_364',
    'last_used_on', 'last_used_before',
] + numbered('quantity_', 7) %}

with

weeks as (select * from {{ ref('int_usage_weeks') }}),
corrected as (select * from {{ ref('int_usage_weeks_corrected') }}),
as_of as (select * from {{ ref('int_as_of') }}),

-- 53 origins, and the seven weeks before the first
recent as (

    select weeks.*
    from weeks
    inner join as_of
        on
            weeks.account_id = as_of.account_id
            and weeks.week_end >= as_of.as_of - 7 * 59

)

select
    {% for column in columns -%}
        recent.{{ column }},
    {% endfor -%}
    cast(null as date) as known_on,
    corrected.origin_date is null as is_for_origin
from recent
left join corrected
    on
        recent.account_id = corrected.account_id
        and recent.subscription_item_id = corrected.subscription_item_id
        and recent.week_end = corrected.week_end
        and recent.week_end = corrected.origin_date
union all
select
    {% for column in columns -%}
        {{ column }},
    {% endfor -%}
    origin_date as known_on,
    week_end = origin_date as is_for_origin
from corrected
