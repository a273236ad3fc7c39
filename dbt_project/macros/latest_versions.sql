{# One row per object of an append-only raw table: what it last looked like, and whether it still exists.

   A tombstone sets `is_deleted` and nothing else: the payload stays the last one seen alive. Identical rows that were
   appended twice count once. Rows landed in one run share `loaded_at`; the one appended last (rowid) wins. #}
{% macro latest_versions(relation, with_parent=false) %}

    select
        versions.account_id,
        versions.id,
        versions.created,
        versions.payload,
        newest.is_deleted,
        versions.livemode{% if with_parent %},
        versions.parent_id{% endif %}
    from {{ relation }} as versions
    inner join (
        select
            arg_max(is_deleted, row(loaded_at, rowid)) as is_deleted,
            arg_max(rowid, row(not is_deleted, loaded_at, rowid)) as position
        from {{ relation }}
        group by account_id, id
    ) as newest
        on versions.rowid = newest.position

{% endmacro %}
