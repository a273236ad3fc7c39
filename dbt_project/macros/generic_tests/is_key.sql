{# Fails for each combination of `columns` that more than one row carries or that has an unknown part; `nullable` names
   the columns that may be null. Where a contract already forbids nulls, unique_combination says the rest. #}
{% test is_key(model, columns, nullable=[]) %}

select {{ columns | join(', ') }}, count(*) as rows_found
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {% for column in columns if column not in nullable -%}
        or {{ column }} is null
    {% endfor %}

{% endtest %}
