{# Fails when there are more or fewer events than the files say have landed: a count of a table costs nothing. #}
{% test usage_events_are_in_the_books(model) %}

select events.rows_found, files.rows_landed
from
    (select count(*) as rows_found from {{ model }}) as events,
    (select coalesce(sum(landed_count), 0) as rows_landed from {{ ref('stg_usage__files') }}) as files
where events.rows_found <> files.rows_landed

{% endtest %}
