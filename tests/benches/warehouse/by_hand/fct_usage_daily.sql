with days as (
    select
        spans.*,
        unnest(generate_series(first_day, least(last_day, as_of), interval 1 day))::date as usage_date
    from intermediate.int_usage_spans as spans
    inner join intermediate.int_as_of using (account_id)
)

select
    account_id,
    subscription_item_id,
    subscription_id,
    customer_id,
    meter_id,
    meter_event_name,
    price_id,
    currency,
    usage_date,
    coalesce(quantity, 0) as quantity,
    usage_date >= counted_from as is_counted
from days
left join staging.stg_stripe__meter_usage using (account_id, customer_id, meter_id, usage_date)
