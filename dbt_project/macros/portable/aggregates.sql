{# Aggregates that adapters spell in different ways. #}

{# The `value` of the row with the greatest `orders` (a column, or a list of columns); rows without a value are passed over. #}
{% macro latest_by(value, orders) -%}
    {{ adapter.dispatch('latest_by', 'meterwise')(value, orders) }}
{%- endmacro %}

{% macro default__latest_by(value, orders) -%}
    arg_max({{ value }}, {{ ordered_by(orders) }})
{%- endmacro %}

{# The `value` of the row with the least `orders`. #}
{% macro earliest_by(value, orders) -%}
    {{ adapter.dispatch('earliest_by', 'meterwise')(value, orders) }}
{%- endmacro %}

{% macro default__earliest_by(value, orders) -%}
    arg_min({{ value }}, {{ ordered_by(orders) }})
{%- endmacro %}

{# One expression that sorts as a list of columns does, the first one first. #}
{% macro ordered_by(orders) -%}
    {{ orders if orders is string else 'row(' ~ orders | join(', ') ~ ')' }}
{%- endmacro %}

{# The median, as an aggregate or over a window. #}
{% macro median_of(measure) -%}
    {{ adapter.dispatch('median_of', 'meterwise')(measure) }}
{%- endmacro %}

{% macro default__median_of(measure) -%}
    median({{ measure }})
{%- endmacro %}

{# The value that most rows have. #}
{% macro commonest(value) -%}
    {{ adapter.dispatch('commonest', 'meterwise')(value) }}
{%- endmacro %}

{% macro default__commonest(value) -%}
    mode({{ value }})
{%- endmacro %}

{# The least value that at least this share (a literal) of the rows do not exceed. #}
{% macro quantile_of(measure, share) -%}
    {{ adapter.dispatch('quantile_of', 'meterwise')(measure, share) }}
{%- endmacro %}

{% macro default__quantile_of(measure, share) -%}
    quantile_disc({{ measure }}, {{ share }})
{%- endmacro %}
