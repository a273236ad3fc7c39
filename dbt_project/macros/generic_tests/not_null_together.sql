{# Fails for each row on which any of `columns` is null: one scan for a whole key. #}
{% test not_null_together(model, columns) %}

select *
from {{ model }}
where
    {% for column in columns -%}
        {{ column }} is null{{ ' or ' if not loop.last }}
    {% endfor %}

{% endtest %}
