{# What each item of a customer used up to the days that churn is judged on, as it is known today: differences of
   running sums between those days and 7 … 392 days before. Two sums are read where 392 days would be. #}
{% set windows = (0, 7, 14, 28, 56, 91, 105, 364, 392) %}

with

customer_days as (select * from {{ ref('int_customer_days') }}),
items as (select * from {{ ref('int_subscription_items') }}),
weeks as (select * from {{ ref('int_usage_weeks') }}),

item_days as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        items.subscription_item_id,
        customer_days.as_of_date,
        -- of the week that holds the day; windows of whole weeks begin on the same day of theirs
        cast(mod({{ days_from('customer_days.as_of_date', 'items.as_of') }}, 7) as integer) as days_left,
        {{ days_from('items.first_day', 'customer_days.as_of_date') }} + 1 as history_days
    from customer_days
    inner join items
        on
            customer_days.account_id = items.account_id
            and customer_days.customer_id = items.customer_id
            and customer_days.as_of_date >= items.first_day
            and customer_days.as_of_date <= items.last_day
            and coalesce(items.ended_at >= customer_days.valued_until, true)
    where
        items.is_metered
        and items.meter_id is not null

),

summed as (

    select
        item_days.*,
        {% for window in windows -%}
            -- before the item's history nothing was used
            coalesce(
                weeks_{{ window }}.quantity_before
                {% for day in range(1, 8) -%}
                    + case
                        when item_days.days_left <= {{ 7 - day }}
                            then coalesce(weeks_{{ window }}.quantity_{{ day }}, 0)
                        else 0
                    end
                {% endfor -%},
                0
            ) as quantity_until_{{ window }},
        {% endfor -%}
        {% for window in (0, 28) -%}
            coalesce(
                weeks_{{ window }}.zero_days_before
                {% for day in range(1, 8) -%}
                    + case
                        when item_days.days_left <= {{ 7 - day }} and weeks_{{ window }}.quantity_{{ day }} = 0 then 1
                        else 0
                    end
                {% endfor -%},
                0
            ) as zero_days_until_{{ window }},
        {% endfor -%}
        coalesce(
            {% for day in range(7, 0, -1) -%}
                case
                    when item_days.days_left <= {{ 7 - day }} and weeks_0.quantity_{{ day }} > 0
                        then weeks_0.week_end - {{ 7 - day }}
                end,
            {% endfor -%}
            weeks_0.last_used_before
        ) as last_used_on
    from item_days
    {% for window in windows -%}
        left join weeks as weeks_{{ window }}
            on
                item_days.account_id = weeks_{{ window }}.account_id
                and item_days.subscription_item_id = weeks_{{ window }}.subscription_item_id
                and item_days.as_of_date + item_days.days_left - {{ window }} = weeks_{{ window }}.week_end
    {% endfor %}

)

select
    account_id,
    customer_id,
    subscription_item_id,
    as_of_date,
    history_days,
    {% for window in windows if window > 0 -%}
        quantity_until_0 - quantity_until_{{ window }} as quantity_{{ window }},
    {% endfor -%}
    zero_days_until_0 - zero_days_until_28 as zero_days_28,
    last_used_on
from summed
