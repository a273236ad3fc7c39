{# Each item's days in weeks that end on the weekday of as_of, the oldest day first. Origins are whole weeks apart and
   so are the windows that features look back on: what they read are sums of whole weeks, a seventh of the rows. #}
with

usage_daily as (select * from {{ ref('fct_usage_daily') }}),
as_of as (select * from {{ ref('int_as_of') }}),

placed as (

    select
        usage_daily.account_id,
        usage_daily.subscription_item_id,
        usage_daily.usage_date,
        usage_daily.quantity,
        cast(mod({{ days_from('usage_daily.usage_date', 'as_of.as_of') }}, 7) as integer) as days_left
    from usage_daily
    inner join as_of
        on usage_daily.account_id = as_of.account_id

),

weeks as (

    select
        account_id,
        subscription_item_id,
        usage_date + days_left as week_end,
        count(*) as days,
        sum(quantity) as quantity,
        {% for day in range(1, 8) -%}
            max(case when days_left = {{ 7 - day }} then quantity end) as quantity_{{ day }},
        {% endfor -%}
        sum(case when quantity = 0 then 1 else 0 end) as zero_days,
        max(quantity) as highest_quantity,
        max(case when quantity > 0 then usage_date end) as last_used_on
    from placed
    group by
        account_id,
        subscription_item_id,
        usage_date + days_left

),

running as (

    select
        account_id,
        subscription_item_id,
        week_end,
        {% for day in range(1, 8) -%}
            quantity_{{ day }},
        {% endfor -%}
        days,
        quantity,
        highest_quantity,
        last_used_on,
        -- up to the end of the week, and before it began
        cast(sum(days) over until as bigint) as days_until,
        cast(sum(zero_days) over until as bigint) - cast(zero_days as bigint) as zero_days_before,
        cast(sum(quantity) over until - quantity as decimal(38, 6)) as quantity_before,
        max(last_used_on) over before as last_used_before,
        sum(quantity) over last_13 as quantity_91,
        sum(quantity) over last_52 as quantity_364
    from weeks
    window
        until as (partition by account_id, subscription_item_id order by week_end),
        before as (
            partition by account_id, subscription_item_id order by week_end
            rows between unbounded preceding and 1 preceding
        ),
        last_13 as (
            partition by account_id, subscription_item_id order by week_end
            rows between 12 preceding and current row
        ),
        last_52 as (
            partition by account_id, subscription_item_id order by week_end
            rows between 51 preceding and current row
        )

)

select * from running
