with judged as (
    select
        *,
        median(quantity::double) over same_weekday as expected,
        count(*) over same_weekday as seen,
        quantity::double / nullif(expected, 0) - 1 as excess
    from marts.fct_usage_daily
    window same_weekday as (
        partition by account_id, subscription_item_id, isodow(usage_date)
        order by usage_date rows between 8 preceding and 1 preceding
    )
)

select
    account_id,
    subscription_item_id,
    customer_id,
    meter_id,
    currency,
    usage_date,
    quantity,
    round(expected, 6) as expected_quantity,
    excess / greatest(coalesce(deviation, 0), 0.25) as score
from (
    select
        *,
        1.4826 * median(abs(excess)) over (
            partition by account_id, subscription_item_id order by usage_date rows between 56 preceding and 1 preceding
        ) as deviation
    from judged
)
where seen >= 4 and score > 6
