{# The columns of every score table and their types: the only place that says them.
   `ml` writes one Parquet file per run with exactly these columns; staging casts to them. #}
{% macro score_tables() %}
  {% do return({
    'usage_forecast': {
      'account_id': 'varchar', 'subscription_item_id': 'varchar', 'customer_id': 'varchar', 'meter_id': 'varchar',
      'as_of': 'date', 'forecast_date': 'date', 'horizon': 'integer',
      'yhat_mean': 'double', 'yhat_median': 'double',
      'q025': 'double', 'q10': 'double', 'q90': 'double', 'q975': 'double',
      'seasonal_naive': 'double', 'weekday_mean': 'double', 'demand_class': 'varchar',
      'method': 'varchar', 'model_name': 'varchar', 'model_version': 'varchar',
      'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'usage_paths': {
      'account_id': 'varchar', 'subscription_item_id': 'varchar', 'as_of': 'date', 'is_backtest': 'boolean',
      'period_start': 'timestamp', 'period_number': 'integer', 'path': 'integer',
      'quantity_so_far': 'double', 'path_quantity': 'double',
      'method': 'varchar', 'model_name': 'varchar', 'model_version': 'varchar',
      'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'churn_risk': {
      'account_id': 'varchar', 'customer_id': 'varchar', 'as_of': 'date', 'horizon_days': 'integer',
      'treatment': 'varchar', 'probability': 'double', 'baseline_probability': 'double',
      'base_margin': 'double', 'margin': 'double', 'other_contribution': 'double', 'reasons': 'varchar',
      'method': 'varchar', 'model_name': 'varchar', 'model_version': 'varchar',
      'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'revenue_trend': {
      'account_id': 'varchar', 'level': 'varchar', 'plan': 'varchar', 'currency': 'varchar', 'as_of': 'date',
      'months_ahead': 'integer', 'metered_growth': 'double',
      'q025': 'double', 'q10': 'double', 'q90': 'double', 'q975': 'double', 'n': 'integer',
      'method': 'varchar', 'model_version': 'varchar', 'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'model_performance': {
      'model_name': 'varchar', 'model_version': 'varchar', 'as_of': 'date', 'metric': 'varchar', 'segment': 'varchar',
      'value': 'double', 'baseline_value': 'double', 'n': 'bigint', 'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'feature_drift': {
      'feature': 'varchar', 'segment': 'varchar', 'as_of': 'date', 'psi': 'double', 'psi_limit': 'double',
      'n': 'bigint', 'is_breach': 'boolean', 'run_id': 'varchar', 'scored_at': 'timestamp',
    },
  }) %}
{% endmacro %}


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
