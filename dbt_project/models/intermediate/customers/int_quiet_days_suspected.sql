{# Days that a customer may have fallen silent on, with every item there was then: few of all, so that only they are
   looked at day by day. 30 days hold three whole weeks of an item, and its level is at most the most it used on any day
   of the 14 weeks before. Where usage was revised in those weeks nothing is ruled out. #}
with

items as (select * from {{ ref('int_subscription_items') }}),
weeks as (select * from {{ ref('int_usage_weeks') }}),
corrections as (select * from {{ ref('int_usage_corrections') }}),

weeks_revised as (

    select
        corrections.account_id,
        corrections.subscription_item_id,
        corrections.usage_date
        + cast(mod({{ days_from('corrections.usage_date', 'items.as_of') }}, 7) as integer) as week_end,
        max(corrections.known_quantity) as highest_known
    from corrections
    inner join items
        on {{ same_keys('corrections', 'items', ['account_id', 'subscription_item_id']) }}
    group by
        corrections.account_id,
        corrections.subscription_item_id,
        corrections.usage_date
        + cast(mod({{ days_from('corrections.usage_date', 'items.as_of') }}, 7) as integer)

),

bounded as (

    select
        weeks.account_id,
        weeks.subscription_item_id,
        weeks.week_end,
        max(case when weeks_revised.week_end is null then weeks.highest_quantity else 0 end)
            over three_weeks as most_after,
        max(greatest(weeks.highest_quantity, coalesce(weeks_revised.highest_known, 0)))
            over weeks_before as most_before
    from weeks
    left join weeks_revised
        on {{ same_keys('weeks', 'weeks_revised', ['account_id', 'subscription_item_id', 'week_end']) }}
    window
        three_weeks as (
            partition by weeks.account_id, weeks.subscription_item_id order by weeks.week_end
            rows between current row and 2 following
        ),
        weeks_before as (
            partition by weeks.account_id, weeks.subscription_item_id order by weeks.week_end
            rows between 14 preceding and 1 preceding
        )

),

suspected as (

    select distinct
        items.account_id,
        items.customer_id,
        -- whose first whole week this is
        {{ days_between('bounded.week_end - 12', 'bounded.week_end - 6') }} as usage_date
    from bounded
    inner join items
        on {{ same_keys('bounded', 'items', ['account_id', 'subscription_item_id']) }}
    where bounded.most_after < 0.1 * bounded.most_before

)

select
    suspected.account_id,
    suspected.customer_id,
    items.subscription_item_id,
    suspected.usage_date as quiet_from
from suspected
inner join items
    on
        suspected.account_id = items.account_id
        and suspected.customer_id = items.customer_id
        and suspected.usage_date >= items.first_day
        and suspected.usage_date <= items.last_day
where items.is_metered
