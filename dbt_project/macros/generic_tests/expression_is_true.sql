{# Fails for each row on which `expression` is false; unknown (null) passes, as in a SQL check constraint. #}
{% test expression_is_true(model, expression, where_clause='true') %}

select *
from {{ model }}
where
    ({{ where_clause }})
    and not ({{ expression }})

{% endtest %}
