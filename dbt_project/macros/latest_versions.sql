{# The configuration of a model made of latest_versions: rebuilt only where the landed versions say something new.
   `key` is the model's column of the object's id. #}
{% macro incremental_by_version(key) -%}
    {{ config(
        materialized='incremental',
        unique_key=['account_id', key] if key != 'account_id' else ['account_id'],
        incremental_strategy=incremental_strategy(),
        on_schema_change='fail',
        post_hook='{{ forget_vanished() }}'
    ) }}
{%- endmacro %}

{# One row per object of an append-only raw table: what it last looked like, and whether it still exists, its payload
   unpacked once into the struct `object` (macro unpack says what `structure` is), and the `version_hash` of what it
   was unpacked from.

   A tombstone sets `is_deleted` and nothing else: the payload stays the last one seen alive. Identical rows that were
   appended twice count once. Rows landed in one load share `loaded_at`; the one appended last wins. Only rows of
   finished loads count. Positions are found first, so that only the payload that is kept is read and parsed.

   key, parent: the model's columns that show the object's id and its parent's. On an incremental run only objects come
   out that the model does not show as they are: every object's newest version is compared with the one shown, by hash,
   so that neither the clock of a load nor the order of loads matters. (Without payloads that costs a second per
   million objects; a mark of what was read last would miss late rows and restored backups.) An object that raw no
   longer has comes out with nothing but its key: forget_vanished takes it away. has_tombstones: whether the model has a
   column is_deleted. #}
{% macro latest_versions(relation, structure, key, parent=none, has_tombstones=true) -%}
    {{ adapter.dispatch('latest_versions', 'meterwise')(
        relation, structure, key, parent, has_tombstones
    ) }}
{%- endmacro %}

{% macro default__latest_versions(relation, structure, key, parent, has_tombstones) %}

    with

    newest as (

        select
            account_id,
            id,
            arg_max(is_deleted, row(loaded_at, rowid)) as is_deleted,
            arg_max(rowid, row(not is_deleted, loaded_at, rowid)) as position
        from {{ relation }}
        where {{ is_finished('loaded_at') }}
        group by
            account_id,
            id

    ),

    changed as (
        {% if is_incremental() %}

        select
            coalesce(landed.account_id, shown.account_id) as account_id,
            coalesce(landed.id, shown.{{ key }}) as id,
            landed.is_deleted,
            landed.position
        from (
            select
                newest.*,
                versions.version_hash,
                versions.livemode{{ ', versions.parent_id' if parent }}
            from newest
            inner join {{ relation }} as versions on newest.position = versions.rowid
        ) as landed
        full join {{ this }} as shown on landed.account_id = shown.account_id and landed.id = shown.{{ key }}
        where
            not coalesce(
                nullif(landed.version_hash, '') = shown.version_hash
                and landed.livemode = shown.livemode
                {{ 'and landed.is_deleted = shown.is_deleted' if has_tombstones }}
                {{ 'and landed.parent_id = shown.' ~ parent if parent }},
                false
            )
        {% else %}

        select * from newest
        {% endif %}

    )

    select
        versions.account_id,
        versions.id,
        coalesce(versions.version_hash, '') as version_hash,
        versions.created,
        {{ unpack('versions.payload', structure) }} as object,
        changed.is_deleted,
        versions.livemode{{ ',\n        versions.parent_id' if parent }}
    from {{ relation }} as versions
    inner join changed on versions.rowid = changed.position
    {% if is_incremental() %}

    union all

    select
        account_id,
        id,
        {% for _ in range(6 if parent else 5) -%}
            null{{ ',' if not loop.last }}
        {% endfor -%}
    from changed
    where position is null
    {% endif %}

{% endmacro %}

{# After an incremental run: the objects that raw no longer has (a restored backup, a table loaded anew) go. #}
{% macro forget_vanished() -%}
    {% if is_incremental() -%} delete from {{ this }} where version_hash is null {%- endif %}
{%- endmacro %}

{# Whether a row that a load appended at `appended_at` may be seen. A load writes its report last, so what has landed
   since the newest report is of a load that is under way, or was broken off: it waits for the next report. #}
{% macro is_finished(appended_at) -%}
    {{ appended_at }} <= (select max(loaded_at) from {{ source('stripe', 'load_report') }})
{%- endmacro %}
