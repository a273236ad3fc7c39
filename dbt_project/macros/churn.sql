{# The horizon that people are told of and that forecasts and offers count with; churn_risk holds the other one too. #}
{% macro churn_horizon_days() -%}
    90
{%- endmacro %}

{# Usage has contracted when no more than this share of the quarter before is left: churn that nobody has asked for yet. #}
{% macro contracted_share() -%}
    0.67
{%- endmacro %}

{# Each of these columns of customer_asof over its own spread, as a deviation from its mean, over all customers and days of
   an account; `logged` ones by their logarithm, and what is unknown is taken to be usual. Decimals add up to the same in
   any order, doubles do not. #}
{% macro standardised(features, measures, logged) %}
    select
        measured.account_id,
        measured.customer_id,
        measured.as_of_date,
        {% for name in measures -%}
            coalesce({{ share_of('measured.' ~ name ~ ' - spread.' ~ name ~ '_mean', 'spread.' ~ name ~ '_spread', 'double') }}, 0)
                as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from (
        select
            account_id,
            customer_id,
            as_of_date,
            {% for name in measures -%}
                {{ likeness_measure(name, logged) }} as {{ name }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ features }}
        where state != 'leaving'
    ) as measured
    inner join (
        select
            account_id,
            {% for name in measures -%}
                cast(avg({{ likeness_measure(name, logged) }}) as decimal(18, 6)) as {{ name }}_mean,
                cast(stddev_pop({{ likeness_measure(name, logged) }}) as decimal(18, 6))
                    as {{ name }}_spread{{ ',' if not loop.last }}
            {% endfor %}
        from {{ features }}
        where state != 'leaving'
        group by account_id
    ) as spread
        on measured.account_id = spread.account_id
{% endmacro %}

{% macro likeness_measure(name, logged) -%}
    cast({% if name in logged %}ln(1 + greatest({{ name }}, 0)){% else %}{{ name }}{% endif %} as decimal(18, 9))
{%- endmacro %}

{# How far two relations of standardised measures are from each other, to six decimals. #}
{% macro unlikeness(left, right, measures) -%}
    cast(sqrt(
        {% for name in measures -%}
            power({{ left }}.{{ name }} - {{ right }}.{{ name }}, 2){{ ' + ' if not loop.last }}
        {%- endfor %}
    ) as decimal(18, 6))
{%- endmacro %}
