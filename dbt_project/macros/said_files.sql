{# Forecasts and advice that dbt itself computes (invoices, revenue, billing periods, recommendations) are kept as they were said, like those of `ml`:
   one Parquet file per run and table below scores/, never rewritten, so that they survive a deleted warehouse and are in
   every backup. #}

{# The columns that are kept and their types: the only place that says them. Each but the last two is one of the relation
   that says it; minor units are bigint. #}
{% macro said_tables() %}
  {% set run = {'method': 'varchar', 'model_version': 'varchar', 'run_id': 'varchar', 'scored_at': 'timestamp'} %}
  {% do return({
    'usage_period_said': dict({
      'account_id': 'varchar', 'subscription_item_id': 'varchar', 'subscription_id': 'varchar', 'meter_id': 'varchar',
      'as_of': 'date', 'period_start': 'timestamp', 'period_end': 'timestamp',
      'days_elapsed': 'integer', 'days_in_period': 'integer', 'quantity_so_far': 'decimal(18, 6)',
      'projected_quantity': 'decimal(18, 6)', 'median_quantity': 'decimal(18, 6)', 'q025_quantity': 'decimal(18, 6)',
      'q10_quantity': 'decimal(18, 6)', 'q90_quantity': 'decimal(18, 6)', 'q975_quantity': 'decimal(18, 6)',
      'run_rate_quantity': 'decimal(18, 6)',
    }, **run),
    'invoice_forecast_said': dict({
      'account_id': 'varchar', 'subscription_id': 'varchar', 'customer_id': 'varchar',
      'plan': 'varchar', 'currency': 'varchar',
      'as_of': 'date', 'period_start': 'timestamp', 'period_end': 'timestamp',
      'days_elapsed': 'integer', 'days_in_period': 'integer', 'status': 'varchar',
      'fees_minor': 'bigint', 'usage_minor': 'bigint', 'pending_minor': 'bigint', 'discounts_minor': 'bigint',
      'credits_minor': 'bigint', 'balance_minor': 'bigint', 'total_minor': 'bigint', 'usage_so_far_minor': 'bigint',
      'total_median_minor': 'bigint', 'total_q025_minor': 'bigint', 'total_q10_minor': 'bigint',
      'total_q90_minor': 'bigint', 'total_q975_minor': 'bigint',
      'run_rate_usage_minor': 'bigint', 'run_rate_total_minor': 'bigint', 'previous_invoice_minor': 'bigint',
    }, **run),
    'alerts_said': {
      'account_id': 'varchar', 'dedupe_key': 'varchar', 'as_of': 'date',
      'kind': 'varchar', 'severity': 'varchar', 'owner': 'varchar', 'title': 'varchar', 'body': 'varchar',
      'customer_id': 'varchar', 'subscription_item_id': 'varchar', 'meter_id': 'varchar', 'model_name': 'varchar',
      'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'recommendations_said': {
      'account_id': 'varchar', 'recommendation_id': 'varchar', 'livemode': 'boolean', 'kind': 'varchar',
      'customer_id': 'varchar', 'customer_tier': 'varchar', 'segment': 'varchar', 'subscription_id': 'varchar',
      'source_event_id': 'varchar', 'subject_id': 'varchar', 'target_key': 'varchar', 'period': 'varchar',
      'currency': 'varchar', 'amount_minor': 'bigint', 'pct_change': 'decimal(18, 6)', 'monthly_change_minor': 'bigint',
      'margin': 'decimal(18, 6)', 'params': 'varchar', 'evidence': 'varchar', 'model_version': 'varchar',
      'expected_value_minor': 'bigint', 'expected_value_low_minor': 'bigint', 'expected_value_high_minor': 'bigint',
      'confidence': 'double', 'risk_score': 'double', 'expires_at': 'timestamp', 'is_held_back': 'boolean',
      'as_of': 'date', 'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'price_assignments_said': {
      'account_id': 'varchar', 'experiment_id': 'varchar', 'customer_id': 'varchar', 'subscription_id': 'varchar',
      'subscription_item_id': 'varchar', 'price_id': 'varchar', 'currency': 'varchar', 'segment': 'varchar',
      'plan': 'varchar', 'stratum': 'varchar', 'block': 'integer', 'variant': 'varchar', 'exclusion': 'varchar',
      'design': 'varchar', 'as_of': 'date', 'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'revenue_forecast_said': dict({
      'account_id': 'varchar', 'level': 'varchar', 'plan': 'varchar', 'currency': 'varchar',
      'as_of': 'date', 'month_start': 'date', 'months_ahead': 'integer',
      'mrr_now_minor': 'bigint', 'mrr_minor': 'bigint',
      'committed_mrr_minor': 'bigint', 'usage_revenue_minor': 'bigint',
      'existing_book_minor': 'bigint', 'usage_growth_minor': 'bigint', 'new_business_minor': 'bigint',
      'override_minor': 'bigint',
      'q025_minor': 'bigint', 'q10_minor': 'bigint', 'q90_minor': 'bigint', 'q975_minor': 'bigint',
    }, **run),
  }) %}
{% endmacro %}


{# post_hook of a relation: its rows of today go into a new file of `table_name`. A replay of an earlier day (var as_of)
   keeps nothing: what is said with hindsight was never said. #}
{% macro keep_as_said(table_name, where_clause='true') %}
  {%- if var('as_of') is none -%}
    {{- adapter.dispatch('keep_as_said', 'meterwise')(table_name, where_clause) -}}
  {%- endif -%}
{% endmacro %}

{# The file gets its name when it is whole: until then it is called tmp_run=…, which nothing reads. #}
{% macro default__keep_as_said(table_name, where_clause) %}
  {%- set run_id = run_started_at.strftime('%Y%m%dT%H%M%S%f') ~ '-' ~ invocation_id[:6] -%}
  copy (
    select
      {% for column, data_type in said_tables()[table_name].items() -%}
        {%- if column == 'run_id' -%} '{{ run_id }}'
        {%- elif column == 'scored_at' -%} timestamp '{{ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') }}'
        {%- else -%} cast({{ column }} as {{ data_type }})
        {%- endif %} as {{ column }}{{ ',' if not loop.last }}
      {% endfor %}
    from {{ this }}
    where {{ where_clause }}
  ) to '{{ score_folder() }}/{{ table_name }}/run={{ run_id }}.parquet' (format parquet, use_tmp_file true)
{% endmacro %}
