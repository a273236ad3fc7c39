{# Metered MRR of items now and at the ends of the next three months, if their customers stay; where no period has
   closed by then, what it is now. #}
with

spans as (select * from {{ ref('int_mrr_spans') }} where component = 'metered'),
valuation_days as (select * from {{ ref('int_valuation_days') }}),
closing as (select * from {{ ref('int_metered_items_closing') }}),
as_of as (select * from {{ ref('int_as_of') }}),

valued_now as (

    select
        spans.account_id,
        spans.subscription_item_id,
        spans.subscription_id,
        spans.customer_id,
        spans.currency,
        spans.mrr_minor as now_minor
    from spans
    inner join as_of
        on spans.account_id = as_of.account_id
    inner join valuation_days
        on
            spans.account_id = valuation_days.account_id
            and valuation_days.month_start = {{ month_start('as_of.as_of') }}
            and spans.valid_from < valuation_days.valued_until
            and coalesce(valuation_days.valued_until <= spans.valid_to, true)

),

together as (

    select
        account_id,
        subscription_item_id,
        subscription_id,
        customer_id,
        currency,
        0 as months_ahead,
        now_minor as level_minor
    from valued_now
    union all
    select
        account_id,
        subscription_item_id,
        subscription_id,
        customer_id,
        currency,
        months_ahead,
        level_minor
    from closing

)

select
    account_id,
    subscription_item_id,
    subscription_id,
    customer_id,
    currency,
    max(months_ahead) > 0 as has_paths,
    cast(coalesce(max(case when months_ahead = 0 then level_minor end), 0) as bigint) as now_minor,
    {{ level_by(1) }} as level_1_minor,
    {{ level_by(2) }} as level_2_minor,
    {{ level_by(3) }} as level_3_minor
from together
group by
    account_id,
    subscription_item_id,
    subscription_id,
    customer_id,
    currency
