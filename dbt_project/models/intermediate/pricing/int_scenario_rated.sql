{# A view: what each quantity that a book's prices are for costs under it beside today, usage unchanged and at each end
   of the assumption, through the one rating rule; for one period of those that it stands for. #}
{{ config(materialized='view') }}
{% set bounds = ['low', 'mid', 'high'] %}
with

reach as (select * from {{ ref('int_scenario_reach') }}),

tiers as (

    select
        account_id,
        book_price_id as price_id,
        {{ tier_columns() }}
    from {{ ref('int_price_book_tiers') }}
    where book != 'today'

),

readings as (
    select 'none' as reading
    {% for bound in bounds -%}
        union all
        select '{{ bound }}' as reading
    {% endfor %}
),

asked as (

    select
        reach.account_id,
        reach.book_price_id as price_id,
        reach.currency,
        reach.quantity_id,
        readings.reading,
        case readings.reading
            {% for bound in bounds -%}
                when '{{ bound }}' then reach.quantity_{{ bound }}
            {% endfor -%}
            else reach.quantity
        end as quantity
    from reach
    cross join readings
    where
        reach.repriced_periods > 0
        -- where usage does not answer, a reading is that of none
        and case readings.reading
            {% for bound in bounds -%}
                when '{{ bound }}' then reach.quantity_{{ bound }} != reach.quantity
            {% endfor -%}
            else true
        end

),

rated as ({{ rate_totals('asked', ['quantity_id', 'reading'], 'tiers') }}),

side_by_side as (

    select
        account_id,
        price_id,
        {% for reading in ['none'] + bounds -%}
            max(case when reading = '{{ reading }}' then rated_amount_minor end) as {{ reading }}_minor,
        {% endfor -%}
        quantity_id
    from rated
    group by account_id, price_id, quantity_id

)

select
    {{ columns_of('reach', ['account_id', 'book', 'basis', 'customer_id', 'currency', 'month_start', 'reach']) }},
    {{ columns_of('reach', ['quantity_id', 'repriced_periods', 'today_minor']) }},
    {% for reading in ['none'] + bounds -%}
        case
            when rated.none_minor is not null
                then greatest(
                    coalesce(rated.{{ reading }}_minor, rated.none_minor), reach.minimum_amount_minor
                ) - reach.today_minor
        end as {{ reading }}_change,
    {% endfor -%}
    {% for bound in bounds -%}
        case
            when reach.quantity_{{ bound }} = reach.quantity then 0
            else
                {{ cost_of('reach.quantity_' ~ bound, 'reach.unit_cost_decimal') }}
                - {{ cost_of('reach.quantity', 'reach.unit_cost_decimal') }}
        end as {{ bound }}_cost_change,
    {% endfor -%}
    cast(reach.weight * reach.repriced_periods as decimal(18, 6)) as weight
from reach
left join side_by_side as rated
    on
        {{ same_keys('reach', 'rated', ['account_id', 'quantity_id']) }}
        and reach.book_price_id = rated.price_id
