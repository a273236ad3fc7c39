{# How the usage of a customer's item, as it was known on a day that churn is judged on, differs from today's. #}
with

item_days as (select * from {{ ref('int_customer_items_asof') }}),
corrections as (select * from {{ ref('int_usage_corrections') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }}),
weeks as (select * from {{ ref('int_usage_weeks') }}),

applied as (

    select
        item_days.account_id,
        item_days.subscription_item_id,
        item_days.as_of_date,
        corrections.usage_date,
        corrections.known_quantity,
        corrections.difference_quantity,
        {{ days_from('corrections.usage_date', 'item_days.as_of_date') }} as days_back,
        case when corrections.known_quantity = 0 then 1 else 0 end
        - case when corrections.known_quantity = corrections.difference_quantity then 1 else 0 end as zero_days
    from item_days
    inner join corrections
        on
            item_days.account_id = corrections.account_id
            and item_days.subscription_item_id = corrections.subscription_item_id
            and item_days.as_of_date >= corrections.known_from
            and item_days.as_of_date < corrections.known_until
            and item_days.as_of_date >= corrections.usage_date

),

differences as (

    select
        account_id,
        subscription_item_id,
        as_of_date,
        {% for window in (7, 14, 28, 56, 91, 105, 364, 392) -%}
            sum(case when days_back < {{ window }} then difference_quantity else 0 end) as difference_{{ window }},
        {% endfor -%}
        sum(case when days_back < 28 then zero_days else 0 end) as zero_days_28,
        min(case when zero_days != 0 then usage_date end) as first_flip_on
    from applied
    group by
        account_id,
        subscription_item_id,
        as_of_date

),

-- the last day of use, where a day turned from used to unused or back: looked for from that day's week on
used as (

    select
        differences.account_id,
        differences.subscription_item_id,
        differences.as_of_date,
        max(usage_daily.usage_date) as last_used_on
    from differences
    inner join usage_daily
        on
            differences.account_id = usage_daily.account_id
            and differences.subscription_item_id = usage_daily.subscription_item_id
            and differences.as_of_date >= usage_daily.usage_date
            and differences.first_flip_on - 6 <= usage_daily.usage_date
    left join applied
        on
            differences.account_id = applied.account_id
            and differences.subscription_item_id = applied.subscription_item_id
            and differences.as_of_date = applied.as_of_date
            and usage_daily.usage_date = applied.usage_date
    where coalesce(applied.known_quantity, usage_daily.quantity) > 0
    group by
        differences.account_id,
        differences.subscription_item_id,
        differences.as_of_date

)

select
    differences.*,
    coalesce(used.last_used_on, weeks.last_used_before) as last_used_on
from differences
left join used
    on {{ same_keys('differences', 'used', ['account_id', 'subscription_item_id', 'as_of_date']) }}
left join weeks
    on
        differences.account_id = weeks.account_id
        and differences.subscription_item_id = weeks.subscription_item_id
        and differences.first_flip_on >= weeks.week_end - 6
        and differences.first_flip_on <= weeks.week_end
