{# Seeds of pricing are text, so that one bad row is stated and not fatal: here they become what they mean. #}

{# A select: what a unit of each meter costs, in minor units of each currency; the row `subscription` is the cost of one
   subscription a month. A row that is no cost, or one of two for one thing, says nothing: what it was for has a null
   cost, hence no known margin. #}
{% macro unit_costs() %}

    select
        meter_event_name,
        currency,
        case when count(*) = 1 and min(unit_cost_decimal) >= 0 then min(unit_cost_decimal) end as unit_cost_decimal
    from (
        select
            trim(meter_event_name) as meter_event_name,
            lower(trim(currency)) as currency,
            {{ cast_or_null('trim(unit_cost_decimal)', 'decimal(24, 12)') }} as unit_cost_decimal
        from {{ ref('unit_costs') }}
    ) as costs
    group by
        meter_event_name,
        currency

{% endmacro %}

{# What a quantity costs, rounded once; null without a unit cost, or beyond any amount. #}
{% macro cost_of(quantity, unit_cost) -%}
    cast(round(
        case when {{ fits_an_amount(quantity, unit_cost) }} then cast({{ quantity }} as decimal(18, 6)) end * {{ unit_cost }}, 0
    ) as bigint)
{%- endmacro %}

{# A select of one row: each rule of the seed price_rules as a column, null where the seed gives no number for it, or
   several. #}
{% macro price_rules() %}

    select
        {% for rule in [
            'min_margin', 'min_unit_margin', 'most_above_competitor', 'bill_shock_share', 'most_shocked_share',
            'lifetime_cap_months',
        ] -%}
            case
                when count(case when trim(rule) = '{{ rule }}' then 1 end) = 1 then
                    max(case when trim(rule) = '{{ rule }}' then {{ cast_or_null('trim(value)', 'decimal(18, 6)') }} end)
            end as {{ rule }}
            {{- ',' if not loop.last }}
        {% endfor %}
    from {{ ref('price_rules') }}

{% endmacro %}

{# Whether a text is given and is no ISO day. #}
{% macro is_no_day(body) -%}
    (trim({{ body }}) != '' and {{ cast_or_null('trim(' ~ body ~ ')', 'date') }} is null)
{%- endmacro %}

{# How many periods of so many days, the first of which begins with `first_start`, begin before `until`. #}
{% macro periods_begun(first_start, until, period_days) -%}
    {{ divide_half_up(
        '2 * greatest(' ~ days_from('cast(' ~ first_start ~ ' as date)', 'cast(' ~ until ~ ' as date)') ~ ', 0) + '
        ~ period_days ~ ' - 1',
        '2 * ' ~ period_days
    ) }}
{%- endmacro %}

{# What a margin earned in so many months is worth over the months that are expected (two decimals), rounded once. #}
{% macro worth(margin_minor, expected_months, months) -%}
    {{ divide_half_up(
        '(' ~ margin_minor ~ ') * cast(100 * (' ~ expected_months ~ ') as bigint)', '100 * (' ~ months ~ ')'
    ) }}
{%- endmacro %}
