select
    account_id,
    meter_id,
    customer_id,
    arg_max(aggregated_value, rowid)::decimal(18, 6) as quantity,
    max(rowid) as last_position,
    min(aggregated_value) != max(aggregated_value) as is_revised,
    window_start,
    max(window_end) as window_end,
    window_start::date as usage_date,
    min(first_seen_at) as first_seen_at,
    max(first_seen_at) as revised_at
from raw_stripe.meter_usage_revisions
where first_seen_at <= (select max(loaded_at) from raw_stripe.load_report)
group by account_id, meter_id, customer_id, window_start
