{# One row per object of an append-only raw table: what it last looked like, and whether it still exists, its payload
   unpacked once into the struct `object` (macro unpack says what `structure` is).

   A tombstone sets `is_deleted` and nothing else: the payload stays the last one seen alive. Identical rows that were
   appended twice count once. Rows landed in one load share `loaded_at`; the one appended last (rowid) wins. Only rows
   of finished loads count. Positions are found first, so that only the payload that is kept is read and parsed. #}
{% macro latest_versions(relation, structure, with_parent=false) %}

    select
        versions.account_id,
        versions.id,
        versions.created,
        {{ unpack('versions.payload', structure) }} as object,
        newest.is_deleted,
        versions.livemode{% if with_parent %},
        versions.parent_id{% endif %}
    from {{ relation }} as versions
    inner join (
        select
            arg_max(is_deleted, row(loaded_at, rowid)) as is_deleted,
            arg_max(rowid, row(not is_deleted, loaded_at, rowid)) as position
        from {{ relation }}
        where {{ is_finished('loaded_at') }}
        group by account_id, id
    ) as newest
        on versions.rowid = newest.position

{% endmacro %}

{# Whether a row that a load appended at `appended_at` may be seen. A load writes its report last, so what has landed
   since the newest report is of a load that is under way, or was broken off: it waits for the next report. #}
{% macro is_finished(appended_at) -%}
    {{ appended_at }} <= (select max(loaded_at) from {{ source('stripe', 'load_report') }})
{%- endmacro %}
