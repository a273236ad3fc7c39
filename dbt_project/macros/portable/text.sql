{# Types and texts that adapters name or write in different ways. #}

{# Inside a cast. #}
{% macro text_type() -%}
    {{ adapter.dispatch('text_type', 'meterwise')() }}
{%- endmacro %}

{% macro default__text_type() -%}
    varchar
{%- endmacro %}

{% macro double_type() -%}
    {{ adapter.dispatch('double_type', 'meterwise')() }}
{%- endmacro %}

{% macro default__double_type() -%}
    double
{%- endmacro %}

{% macro as_text(value) -%}
    cast({{ value }} as {{ text_type() }})
{%- endmacro %}

{# A day as text, ISO: 2026-10-28. #}
{% macro date_text(day) -%}
    {{ adapter.dispatch('date_text', 'meterwise')(day) }}
{%- endmacro %}

{% macro default__date_text(day) -%}
    strftime({{ day }}, '%Y-%m-%d')
{%- endmacro %}

{# A model's figure for people, with so many decimals: never for money. #}
{% macro figure_to_text(figure, decimals) -%}
    {{ adapter.dispatch('figure_to_text', 'meterwise')(figure, decimals) }}
{%- endmacro %}

{% macro default__figure_to_text(figure, decimals) -%}
    printf('%.{{ decimals }}f', {{ figure }})
{%- endmacro %}

{# An aggregate: texts joined by a separator, in the order of `orders` (as after `order by`). #}
{% macro texts_joined(value, separator, orders) -%}
    {{ adapter.dispatch('texts_joined', 'meterwise')(value, separator, orders) }}
{%- endmacro %}

{% macro default__texts_joined(value, separator, orders) -%}
    string_agg({{ value }}, '{{ separator }}' order by {{ orders }})
{%- endmacro %}

{# The first 32 hexadecimal digits of a text's SHA-256. #}
{% macro digest_of(value) -%}
    {{ adapter.dispatch('digest_of', 'meterwise')(value) }}
{%- endmacro %}

{% macro default__digest_of(value) -%}
    left(sha256({{ value }}), 32)
{%- endmacro %}

{# The month of a day as text: 2026-10. A time as text in ISO 8601: 2026-10-28T06:00:00Z. #}
{% macro month_text(day) -%}
    {{ adapter.dispatch('month_text', 'meterwise')(day) }}
{%- endmacro %}

{% macro default__month_text(day) -%}
    strftime({{ day }}, '%Y-%m')
{%- endmacro %}

{% macro time_text(moment) -%}
    {{ adapter.dispatch('time_text', 'meterwise')(moment) }}
{%- endmacro %}

{% macro default__time_text(moment) -%}
    strftime({{ moment }}, '%Y-%m-%dT%H:%M:%SZ')
{%- endmacro %}

{# A value as a type, null where it does not fit. #}
{% macro cast_or_null(value, data_type) -%}
    {{ adapter.dispatch('cast_or_null', 'meterwise')(value, data_type) }}
{%- endmacro %}

{% macro default__cast_or_null(value, data_type) -%}
    try_cast({{ value }} as {{ data_type }})
{%- endmacro %}

{# A number from 0 up to but not 1 that depends on a text alone: the same for it in every build, spread evenly over texts. #}
{% macro hash_share(value) -%}
    {{ adapter.dispatch('hash_share', 'meterwise')(value) }}
{%- endmacro %}

{# 13 hexadecimal digits are 52 bits, which a double holds exactly; the factor is 2 to the power of -52. #}
{% macro default__hash_share(value) -%}
    (cast('0x' || left({{ digest_of(value) }}, 13) as bigint) * cast('2.220446049250313e-16' as double))
{%- endmacro %}
