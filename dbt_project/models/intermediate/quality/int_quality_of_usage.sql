{# Usage that belongs to nobody or makes no sense, and what loads and usage logs could not take. #}
{% set usage, files = ref('stg_stripe__meter_usage'), ref('stg_usage__files') %}
{% set problems, versions = ref('stg_stripe__load_problems'), ref('stg_stripe__versions') %}

with

repeated_events as (

    select
        account_id,
        id as event_id,
        count(*) - 1 as repeats
    from {{ versions }}
    where kind = 'events'
    group by account_id, id
    having count(*) > 1

),

findings as (

    {{ findings_of([
        {'name': 'negative_usage', 'of': usage, 'id': 'customer_id', 'where': 'quantity < 0'},
        {'name': 'usage_overflows', 'of': usage, 'id': 'customer_id', 'where': 'quantity is null'},
        {'name': 'usage_of_unknown_customers', 'of': usage, 'id': 'customer_id',
         'lacks': ref('stg_stripe__customers'), 'by': ['customer_id']},
        {'name': 'usage_of_unknown_meters', 'of': usage, 'id': 'meter_id',
         'lacks': ref('stg_stripe__meters'), 'by': ['meter_id']},
        {'name': 'usage_without_item', 'of': ref('int_usage_without_item'), 'id': 'customer_id',
         'where': 'quantity != 0'},
        {'name': 'duplicated_events', 'of': 'repeated_events', 'id': 'event_id', 'rows': 'repeats'},
        {'name': 'duplicated_usage_events', 'of': files, 'id': 'path',
         'where': 'duplicate_count > 0', 'rows': 'duplicate_count'},
        {'name': 'conflicting_usage_events', 'of': files, 'id': 'path',
         'where': 'conflict_count > 0', 'rows': 'conflict_count'},
        {'name': 'quarantined_usage_rows', 'of': ref('stg_usage__quarantine'), 'id': 'path', 'rows': 'row_count'},
        {'name': 'usage_log_differs', 'of': ref('fct_usage_reconciliation'), 'id': 'customer_id',
         'where': "status in ('missing_in_stripe', 'missing_in_log', 'differs')"},
        {'name': 'usage_log_of_unknown_objects', 'of': ref('fct_usage_reconciliation'), 'id': 'event_name',
         'where': "status in ('unknown_meter', 'unknown_customer')"},
        {'name': 'quarantined_export_rows', 'of': ref('stg_exports__quarantine'), 'id': 'path'},
        {'name': 'exported_bills_differ', 'of': ref('fct_export_reconciliation'), 'id': 'record_id',
         'where': "status not in ('matches', 'not_final', 'void')"},
        {'name': 'load_problems', 'of': problems, 'id': 'problem', 'where': 'not is_fatal', 'rows': 'occurrences'},
        {'name': 'fatal_load_problems', 'of': problems, 'id': 'problem', 'where': 'is_fatal', 'rows': 'occurrences'},
    ]) }}

)

select * from findings
