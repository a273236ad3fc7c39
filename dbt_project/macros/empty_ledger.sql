{# The loader makes this table; until it has run once the audit marts read an empty one of the same columns. #}
{% macro empty_ledger() %}
  create schema if not exists raw_ledger;
  create table if not exists raw_ledger.audit_log (
    seq bigint, event_id varchar, at_us bigint, wall_us bigint, kind varchar,
    recommendation_id varchar, action_id varchar, step bigint, attempt bigint,
    account_id varchar, livemode boolean, customer_id varchar, subscription_id varchar,
    object_id varchar, stripe_event_id varchar, request_id varchar, idempotency_key varchar,
    plan_hash varchar, currency varchar, amount_minor bigint, actor varchar, actor_assurance varchar,
    reasoning varchar, body varchar, source_event_id varchar, prev_hash varchar, hash varchar
  );
  -- a copy from before the ledger had it, kept because the ledger itself is lost
  alter table raw_ledger.audit_log add column if not exists source_event_id varchar;
{% endmacro %}
