{# A text of major units in minor ones, exactly: null where it has more decimal places than the currency. #}
{% macro minor_of_major(amount, exponent) -%}
    {%- set minor = 'cast(' ~ amount ~ ' as decimal(38, 6)) * ' ~ power_of_ten(exponent) -%}
    case when {{ minor }} = round({{ minor }}, 0) then cast(round({{ minor }}, 0) as bigint) end
{%- endmacro %}
