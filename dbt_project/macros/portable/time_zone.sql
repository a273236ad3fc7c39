{# Local days. `zone` is SQL that gives an IANA name (the column time_zone of int_as_of); times are UTC timestamps without
   zone. With var('time_zone') at its default, UTC, nothing is converted. A zone that does not exist fails the query. #}

{# A UTC time as the clock on the wall shows it in `zone`. #}
{% macro local_time(moment, zone) -%}
    {%- if var('time_zone') == 'UTC' -%} {{ moment }}
    {%- else -%} {{ adapter.dispatch('local_time', 'meterwise')(moment, zone) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__local_time(moment, zone) -%}
    (({{ moment }}) at time zone 'UTC') at time zone {{ zone }}
{%- endmacro %}

{# The UTC time at which the clock on the wall shows `wall_time` in `zone`. #}
{% macro utc_time(wall_time, zone) -%}
    {%- if var('time_zone') == 'UTC' -%} {{ wall_time }}
    {%- else -%} {{ adapter.dispatch('utc_time', 'meterwise')(wall_time, zone) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__utc_time(wall_time, zone) -%}
    (({{ wall_time }}) at time zone {{ zone }}) at time zone 'UTC'
{%- endmacro %}

{# The first UTC moment after a local day. #}
{% macro end_of_day_in(day, zone) -%}
    {{ utc_time(end_of_day(day), zone) }}
{%- endmacro %}

{# The local day of a UTC time. #}
{% macro local_day(moment, zone) -%}
    cast({{ local_time(moment, zone) }} as date)
{%- endmacro %}

{# The zone of an account: var('time_zone'), or with 'account' the account's own, UTC where it says none. #}
{% macro zone_of(account_zone) -%}
    {%- if var('time_zone') == 'account' -%} coalesce({{ account_zone }}, 'UTC')
    {%- else -%} '{{ var("time_zone") | replace("'", "''") }}'
    {%- endif -%}
{%- endmacro %}
