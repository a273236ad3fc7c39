{# What each book changes for the customers whose prices it names, added up: minor units, rounded once a customer. A
   month's bill that rises beyond the seed's share is a shock; of the forecast, the whole year. #}
{% set bounds = ['low', 'mid', 'high'] %}
{% set keys = ['account_id', 'book', 'basis', 'customer_id', 'currency'] %}
with

changed as (select * from {{ ref('int_scenario_rated') }}),
quantities as (select * from {{ ref('int_scenario_quantities') }}),
rules as ({{ price_rules() }}),

monthly as (

    select
        {{ keys | join(', ') }},
        month_start,
        {% for reach in ('repriced', 'grandfathered', 'locked') -%}
            sum(case when reach = '{{ reach }}' then 1 else 0 end) as {{ reach }},
        {% endfor -%}
        {% for bound in bounds -%}
            sum({{ bound }}_change * weight) as {{ bound }}_change,
            {{ sum_if_known(bound ~ '_cost_change * weight') }} as {{ bound }}_cost_change,
        {% endfor -%}
        sum(none_change * weight) as none_change,
        sum(case when repriced_periods > 0 and none_change is null then 1 else 0 end) as unrated
    from changed
    group by {{ keys | join(', ') }}, month_start

),

months as (

    select
        account_id,
        basis,
        customer_id,
        currency,
        month_start,
        sum(today_minor * weight * repeats) as before_minor
    from quantities
    group by account_id, basis, customer_id, currency, month_start

)

select
    {{ columns_of('monthly', keys) }},
    {% for count in ('repriced', 'grandfathered', 'locked', 'unrated') -%}
        cast(sum(monthly.{{ count }}) as integer) as {{ count }}_periods,
    {% endfor -%}
    {% for sum in ('none_change', 'low_change', 'mid_change', 'high_change') -%}
        cast(round(coalesce(sum(monthly.{{ sum }}), 0)) as bigint) as {{ sum }}_minor,
    {% endfor -%}
    {% for bound in bounds -%}
        cast(round({{ sum_if_known('monthly.' ~ bound ~ '_cost_change') }}) as bigint) as {{ bound }}_cost_change_minor,
    {% endfor -%}
    cast(sum(
        case when monthly.none_change > rules.bill_shock_share * months.before_minor then 1 else 0 end
    ) as integer) as months_shocked
from monthly
cross join rules
inner join months
    on
        {{ same_keys('monthly', 'months', ['account_id', 'basis', 'customer_id', 'currency']) }}
        and coalesce(monthly.month_start = months.month_start, monthly.month_start is null)
group by {{ columns_of('monthly', keys) }}
