{# What an item looks back on at each origin, as it was known then: sums of the last weeks, spread, last days. Every
   window ends on the origin and is cut where the item's history begins. #}
with

origins as (select * from {{ ref('int_usage_origins') }}),
weeks as (select * from {{ ref('int_usage_weeks_known') }}),

averaged as (

    select
        *,
        {{ share_of('quantity', 'days', 'double') }} as week_mean,
        {% for day in range(1, 8) -%}
            case when quantity_{{ day }} = 0 then 1 else 0 end{{ ' + ' if not loop.last }}
        {%- endfor %} as zero_days
    from weeks

),

spread as (

    select
        *,
        -- decimals add up to the same in any order, doubles do not
        cast(
            {% for day in range(1, 8) -%}
                coalesce(power(cast(quantity_{{ day }} as {{ double_type() }}) - week_mean, 2), 0)
                {{- ' + ' if not loop.last }}
            {%- endfor %} as decimal(38, 12)
        ) as week_deviation
    from averaged

),

framed as (

    select
        *,
        sum(quantity) over last_2 as quantity_14,
        sum(quantity) over last_4 as quantity_28,
        sum(quantity) over last_8 as quantity_56,
        sum(zero_days) over last_4 as zero_days_28,
        {{ share_of('sum(quantity) over last_4', 'least(days_until, 28)', 'double') }} as mean_28,
        sum(week_deviation) over last_4 as deviation_28,
        {% for back in (1, 2, 3) -%}
            lag(week_mean, {{ back }}) over by_week as week_mean_{{ back }},
            lag(days, {{ back }}) over by_week as days_{{ back }},
        {% endfor -%}
        coalesce(max(last_used_on) over by_week, first_value(last_used_before) over by_week) as last_used_until
    from spread
    window
        by_week as (partition by account_id, subscription_item_id, known_on order by week_end),
        last_2 as (
            partition by account_id, subscription_item_id, known_on order by week_end
            rows between 1 preceding and current row
        ),
        last_4 as (
            partition by account_id, subscription_item_id, known_on order by week_end
            rows between 3 preceding and current row
        ),
        last_8 as (
            partition by account_id, subscription_item_id, known_on order by week_end
            rows between 7 preceding and current row
        )

)

select
    framed.account_id,
    framed.subscription_item_id,
    origins.origin_date,
    framed.days_until as history_days,
    {{ share_of('framed.quantity', 'least(framed.days_until, 7)', 'double') }} as mean_7,
    {{ share_of('framed.quantity_14', 'least(framed.days_until, 14)', 'double') }} as mean_14,
    framed.mean_28,
    {{ share_of('framed.quantity_56', 'least(framed.days_until, 56)', 'double') }} as mean_56,
    {{ share_of('framed.quantity_91', 'least(framed.days_until, 91)', 'double') }} as mean_91,
    {{ share_of('framed.quantity_364', 'least(framed.days_until, 364)', 'double') }} as mean_364,
    -- squares within each week, and those of the weeks' means about the mean of all
    cast(cast(sqrt({{ share_of(
        'framed.deviation_28'
        ~ ' + framed.days * power(framed.week_mean - framed.mean_28, 2)'
        ~ ' + coalesce(framed.days_1 * power(framed.week_mean_1 - framed.mean_28, 2), 0)'
        ~ ' + coalesce(framed.days_2 * power(framed.week_mean_2 - framed.mean_28, 2), 0)'
        ~ ' + coalesce(framed.days_3 * power(framed.week_mean_3 - framed.mean_28, 2), 0)',
        'least(framed.days_until, 28) - 1',
        'double'
    ) }}) as decimal(38, 6)) as {{ double_type() }}) as sd_28,
    {{ share_of('framed.zero_days_28', 'least(framed.days_until, 28)', 'double') }} as zero_share_28,
    framed.last_used_until as last_used_on,
    framed.quantity_7 as last_1,
    framed.quantity_6 as last_2,
    framed.quantity_5 as last_3,
    framed.quantity_1 as last_7
from origins
inner join framed
    on
        origins.account_id = framed.account_id
        and origins.subscription_item_id = framed.subscription_item_id
        and origins.origin_date = framed.week_end
        and framed.is_for_origin
