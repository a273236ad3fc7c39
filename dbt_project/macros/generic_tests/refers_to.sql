{# Fails for each row whose `columns` (all known) name no row of `to`; `to_columns` if they are called otherwise there.
   `references` lists several instead, each as {columns, to, to_columns}; `broken` says which. #}
{% test refers_to(model, columns=none, to=none, to_columns=none, references=none) %}

{% for reference in references or [{'columns': columns, 'to': to, 'to_columns': to_columns or columns}] %}
    {% set to_columns = reference.get('to_columns', reference['columns']) %}
    select
        child.*,
        '{{ reference["columns"] | join(", ") }} in {{ reference["to"].identifier }}' as broken
    from {{ model }} as child
    where
        {% for column in reference['columns'] -%}
            child.{{ column }} is not null and
        {% endfor -%}
        not exists (
            select 1
            from {{ reference['to'] }} as parent
            where
                {% for column in reference['columns'] -%}
                    parent.{{ to_columns[loop.index0] }} = child.{{ column }}{{ ' and ' if not loop.last }}
                {% endfor %}
        )
    {{ 'union all' if not loop.last }}
{% endfor %}

{% endtest %}
