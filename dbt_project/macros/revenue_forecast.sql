{# The months a forecast override names: whether `month` is one of them. An open end is no end. #}
{% macro is_in_override(month, overrides) -%}
    {{ month }} >= {{ overrides }}.from_month and coalesce({{ month }} <= {{ overrides }}.to_month, true)
{%- endmacro %}

{# The amounts of the revenue forecast that add up, in the order of the mart. #}
{% macro revenue_parts() -%}
    {{ return(['committed_book_minor', 'metered_book_minor', 'usage_growth_minor', 'new_business_minor']) }}
{%- endmacro %}

{# In a select list: the sum of each of these amounts, under its name. #}
{% macro sums_of(amounts, relation) -%}
    {%- for amount in amounts -%}
        cast(sum({{ relation }}.{{ amount }}) as bigint) as {{ amount }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# One end of a band: what customers there are pay, times the multiplier of past sums, beside what is still to be won;
   null without a multiplier, and where overrides take more than there is. #}
{% macro end_of_band(existing_minor, new_business_minor, multiplier) -%}
    case
        when {{ existing_minor }} >= 0
            then {{ new_business_minor }}
                + cast(round({{ existing_minor }} * {{ cast_or_null(multiplier, 'decimal(18, 6)') }}) as bigint)
    end
{%- endmacro %}

{# In a select list of int_revenue_forecast_levels: each amount of `totals`, on level company in the reporting currency. #}
{% macro at_level(amounts) -%}
    {%- for amount in amounts -%}
        case
            when totals.level != 'company' then totals.{{ amount }}
            else {{ converted(
                'totals.' ~ amount, 'fx_rates', 'own.minor_unit_exponent', 'reporting.minor_unit_exponent'
            ) }}
        end as {{ amount }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# An aggregate in int_metered_items_ahead: what an item is worth a month by the end of a month ahead; 0 is now. #}
{% macro level_by(month) -%}
    cast(coalesce({{ latest_by(
        'case when months_ahead in (0, ' ~ month ~ ') then level_minor end', 'months_ahead'
    ) }}, 0) as bigint)
{%- endmacro %}
