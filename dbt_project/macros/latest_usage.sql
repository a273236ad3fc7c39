{# One row per window of usage of an append-only raw table: its newest revision by first_seen_at, of one load the row
   appended last. Of finished loads only.

   keys: the columns that tell one window from another, a superset of account_id, meter_id and customer_id.

   In an incremental run only windows with a row that was not read before. Which those are is exact, whatever the clock
   says: all that was read had a position up to the highest one read and was first seen by the newest time read; a row
   that was not is beyond one of the two, for it was appended later, or waited for its load to finish.

   Nearly every window has one row. To find the others is much cheaper than to sort or aggregate all. #}
{% macro latest_usage(relation, keys) %}
{% set windows = ['account_id', 'meter_id', 'customer_id', 'window_start'] %}
{% set columns = windows + ['window_end', 'quantity', 'is_revised', 'first_seen_at', 'revised_at', 'last_position'] %}

with

{% if is_incremental() %}
    unread as (

        select {{ landing_position('raw') }} as position
        from {{ relation }} as raw
        where {{ landing_position('raw') }} > (select coalesce(max(last_position), -1) from {{ this }})
        union
        select {{ landing_position('raw') }} as position
        from {{ relation }} as raw
        where raw.first_seen_at > (select coalesce(max(revised_at), timestamp '0001-01-01 00:00:00') from {{ this }})

    ),
{% endif %}
{% set landed %}
    select
        {{ columns_of('raw', windows + ['window_end', 'first_seen_at']) }},
        {{ cast_or_null('raw.aggregated_value', 'decimal(18, 6)') }} as quantity,
        false as is_revised,
        raw.first_seen_at as revised_at,
        {{ landing_position('raw') }} as last_position
    from {{ relation }} as raw
    {% if is_incremental() %}inner join unread on {{ landing_position('raw') }} = unread.position{% endif %}
    where {{ is_finished('raw.first_seen_at') }}
{% endset %}
{# No query of its own on a first build: three looks at the few columns each needs cost less than to keep all. #}
{% set revisions = '(' ~ landed ~ ') as revisions' %}
{% if is_incremental() %}
    {% set revisions = 'revisions' %}
    landed as ({{ landed }}),
    windows_changed as (select distinct {{ keys | join(', ') }} from landed),
    revisions as (

        select {{ columns | join(', ') }} from landed
        union all
        select {{ columns_of('known', columns) }}
        from {{ this }} as known
        inner join windows_changed on {{ same_keys('known', 'windows_changed', keys) }}

    ),
{% endif %}

repeated as (

    select {{ keys | join(', ') }}
    from {{ revisions }}
    group by {{ keys | join(', ') }}
    having count(*) > 1

),

ranked as (

    select
        {{ columns_of('revisions', windows) }},
        max(revisions.window_end) over by_window as window_end,
        revisions.quantity,
        bool_or(revisions.is_revised) over by_window
        or min(coalesce(revisions.quantity, -1000000000000)) over by_window
        != max(coalesce(revisions.quantity, -1000000000000)) over by_window as is_revised,
        min(revisions.first_seen_at) over by_window as first_seen_at,
        revisions.revised_at,
        max(revisions.last_position) over by_window as last_position,
        row_number() over (
            partition by {{ columns_of('revisions', keys) }} order by revisions.revised_at desc, revisions.last_position desc
        ) as newest_first
    from {{ revisions }}
    inner join repeated on {{ same_keys('revisions', 'repeated', keys) }}
    window by_window as (partition by {{ columns_of('revisions', keys) }})

),

latest as (

    select {{ columns_of('revisions', columns) }}
    from {{ revisions }}
    left join repeated on {{ same_keys('revisions', 'repeated', keys) }}
    where repeated.account_id is null
    union all
    select {{ columns | join(', ') }}
    from ranked
    where newest_first = 1

)

select
    account_id,
    meter_id,
    customer_id,
    -- the newest revision of the window, in the meter's unit and by its formula; null beyond what can be rated
    quantity,
    cast(last_position as bigint) as last_position,

    -- booleans: changed since it was first seen
    is_revised,

    -- times in UTC; the end is exclusive
    window_start,
    window_end,
    cast(window_start as date) as usage_date,
    first_seen_at,
    revised_at
from latest

{% endmacro %}
