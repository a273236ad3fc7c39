{# The columns of every table whose rows are kept in files: what `ml` said, and what dbt said (said_files.sql). #}
{% macro kept_tables() %}
  {% do return(dict(score_tables(), **said_tables())) %}
{% endmacro %}


{# The select list of a score table: every column cast to its type, none more. #}
{% macro score_columns(table_name) %}
  {%- for column, data_type in kept_tables()[table_name].items() -%}
    cast({{ column }} as {{ data_type }}) as {{ column }}{{ ",\n        " if not loop.last }}
  {%- endfor -%}
{% endmacro %}


{# A select: every row of a score table that its newest run said, of each combination of `keys`. Where files cannot be
   queried in place, the adapter's version reads the table that they are loaded into. #}
{% macro score_source(table_name, keys) %}
  {{- adapter.dispatch('score_source', 'meterwise')(table_name, keys) -}}
{% endmacro %}

{% macro default__score_source(table_name, keys) %}
    select
        {% for column in kept_tables()[table_name] -%}
            {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from (
        select
            {{ score_columns(table_name) }},
            rank() over (
                partition by {{ keys | join(', ') }}
                order by scored_at desc, run_id desc
            ) as run_from_last
        from {{ source('ml_scores', table_name) }}
    ) as ranked
    where run_from_last = 1
{%- endmacro %}


{# Folder of the score files as the inside of a SQL string. #}
{% macro score_folder() %}
  {{- (env_var('METERWISE_DATA', 'data') ~ '/scores') | replace("'", "''") -}}
{% endmacro %}


{# DuckDB makes one folder level when it copies by partition, and writes no file when there are no rows. #}
{% macro make_folder(path) %}
  copy (select 1 as part where false) to '{{ path }}'
  (format parquet, partition_by (part), write_partition_columns true, overwrite_or_ignore);
{% endmacro %}


{# on-run-start: a typed file without rows in every score folder, so that a warehouse that was never scored builds.
   Written anew each time: a file torn by a killed run heals, and a new column reaches it. #}
{% macro empty_score_files() %}
  {{- adapter.dispatch('empty_score_files', 'meterwise')() -}}
{% endmacro %}

{% macro default__empty_score_files() %}
  {{ make_folder(score_folder()) }}
  {% for table_name, columns in kept_tables().items() %}
    {{ make_folder(score_folder() ~ '/' ~ table_name) }}
    copy (
      select
        {% for column, data_type in columns.items() -%}
          cast(null as {{ data_type }}) as {{ column }}{{ ', ' if not loop.last }}
        {%- endfor %}
      where false
    ) to '{{ score_folder() }}/{{ table_name }}/run=empty.parquet' (format parquet);
  {% endfor %}
  {{ empty_ledger() }}
{% endmacro %}
