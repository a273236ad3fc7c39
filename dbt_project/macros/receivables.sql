{# Whole UTC days by which an open invoice is late at the end of `as_of`: it is due on its due date, or, where Stripe
   charges it by itself, on the day that it became final. 0 until that day is over. #}
{% macro days_past_due(due_at, finalized_at, as_of) -%}
    cast(greatest({{ days_from('cast(coalesce(' ~ due_at ~ ', ' ~ finalized_at ~ ') as date)', as_of) }}, 0) as integer)
{%- endmacro %}
