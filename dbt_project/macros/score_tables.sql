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
    'churn_backtest': {
      'account_id': 'varchar', 'customer_id': 'varchar', 'as_of': 'date', 'horizon_days': 'integer',
      'probability': 'double', 'is_churned': 'boolean', 'model_name': 'varchar', 'model_version': 'varchar',
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
      'value': 'double', 'baseline_value': 'double', 'n': 'bigint', 'said': 'varchar',
      'limit_low': 'double', 'limit_high': 'double',
      'is_breach': 'boolean', 'alert_key': 'varchar', 'consequence': 'varchar',
      'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'feature_drift': {
      'model_name': 'varchar', 'feature': 'varchar', 'segment': 'varchar', 'test': 'varchar', 'as_of': 'date',
      'psi': 'double', 'psi_limit': 'double', 'n': 'bigint',
      'statistic': 'double', 'statistic_limit': 'double', 'p_value': 'double', 'effect': 'double',
      'is_breach': 'boolean', 'alert_key': 'varchar', 'consequence': 'varchar',
      'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'usage_anomaly_days': {
      'account_id': 'varchar', 'customer_id': 'varchar', 'subscription_item_id': 'varchar', 'meter_id': 'varchar',
      'as_of': 'date', 'usage_date': 'date', 'incident_start': 'date',
      'quantity': 'double', 'expected_quantity': 'double', 'score': 'double', 'detectors': 'varchar',
      'is_anomaly': 'boolean', 'is_rule_baseline': 'boolean',
      'history_days': 'integer', 'related_ratio': 'double', 'company_share': 'double',
      'method': 'varchar', 'model_version': 'varchar', 'run_id': 'varchar', 'scored_at': 'timestamp',
    },
    'usage_anomaly_runs': {
      'account_id': 'varchar', 'as_of': 'date', 'judged_from': 'date',
      'items': 'bigint', 'days': 'bigint', 'flagged': 'bigint', 'rule_flagged': 'bigint', 'both_flagged': 'bigint',
      'method': 'varchar', 'model_version': 'varchar', 'run_id': 'varchar', 'scored_at': 'timestamp',
    },
  }) %}
{% endmacro %}
