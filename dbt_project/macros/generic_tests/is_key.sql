{# Fails for each combination of `columns` that more than one row carries or that has an unknown part; `nullable` names
   the columns that may be null. `also` lists further keys, each as {columns, nullable, of}: of this model, or of
   `of: ref('…')`; what a further key leaves out is as above. `broken` says whose key it is. #}
{% test is_key(model, columns, nullable=[], also=[]) %}

{% for key in [{}] + also %}
    {% set parts = key.get('columns', columns) %}
    {% set relation = key.get('of', model) %}
    select
        '{{ relation.identifier }} ({{ parts | join(", ") }})' as broken,
        {% for part in parts -%}
            coalesce({{ as_text(part) }}, 'null'){{ " || ', ' ||" if not loop.last }}
        {% endfor -%}
        as found,
        count(*) as rows_found
    from {{ relation }}
    group by {{ parts | join(', ') }}
    having
        count(*) > 1
        {% for part in parts if part not in key.get('nullable', nullable) -%}
            or {{ part }} is null
        {% endfor %}
    {{ 'union all' if not loop.last }}
{% endfor %}

{% endtest %}
