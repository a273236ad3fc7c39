{# Fails for each row that breaks one of `expressions`; `broken` is the text of those it breaks. Unknown (null) passes, as
   in a SQL check constraint. One scan whatever their number; a rule of some rows only reads `not (…) or …`. #}
{% test holds(model, expressions, where_clause='true') %}

select
    *,
    {% for expression in expressions -%}
        case when not ({{ expression }}) then '{{ "[" ~ expression | replace("'", "''") ~ "]" }}' else '' end
        {{- ' ||' if not loop.last }}
    {% endfor -%}
    as broken
from {{ model }}
where
    ({{ where_clause }})
    and (
        {% for expression in expressions -%}
            not ({{ expression }}){{ ' or' if not loop.last }}
        {% endfor -%}
    )

{% endtest %}
