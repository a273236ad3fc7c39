{# What tests ask of texts and lists. #}

{# Whether a text is JSON. #}
{% macro is_json(body) -%}
    {{ adapter.dispatch('is_json', 'meterwise')(body) }}
{%- endmacro %}

{% macro default__is_json(body) -%}
    json_valid({{ body }})
{%- endmacro %}

{# Whether a text is all that a regular expression describes. #}
{% macro is_like(body, pattern) -%}
    {{ adapter.dispatch('is_like', 'meterwise')(body, pattern) }}
{%- endmacro %}

{% macro default__is_like(body, pattern) -%}
    regexp_full_match({{ body }}, '{{ pattern }}')
{%- endmacro %}

{# How many entries a list has. #}
{% macro length_of(entries) -%}
    {{ adapter.dispatch('length_of', 'meterwise')(entries) }}
{%- endmacro %}

{% macro default__length_of(entries) -%}
    len({{ entries }})
{%- endmacro %}
