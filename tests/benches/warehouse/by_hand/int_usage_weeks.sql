select
    * exclude (zero_days),
    sum(days) over until as days_until,
    sum(zero_days) over until - zero_days as zero_days_before,
    sum(quantity) over until - quantity as quantity_before,
    max(last_used_on) over (until rows between unbounded preceding and 1 preceding) as last_used_before,
    sum(quantity) over (until rows between 12 preceding and current row) as quantity_91,
    sum(quantity) over (until rows between 51 preceding and current row) as quantity_364
from (
    select
        account_id,
        subscription_item_id,
        usage_date + ((as_of - usage_date) % 7)::integer as week_end,
        count(*) as days,
        sum(quantity) as quantity,
        max(quantity) filter (where (as_of - usage_date) % 7 = 6) as quantity_1,
        max(quantity) filter (where (as_of - usage_date) % 7 = 5) as quantity_2,
        max(quantity) filter (where (as_of - usage_date) % 7 = 4) as quantity_3,
        max(quantity) filter (where (as_of - usage_date) % 7 = 3) as quantity_4,
        max(quantity) filter (where (as_of - usage_date) % 7 = 2) as quantity_5,
        max(quantity) filter (where (as_of - usage_date) % 7 = 1) as quantity_6,
        max(quantity) filter (where (as_of - usage_date) % 7 = 0) as quantity_7,
        count(*) filter (where quantity = 0) as zero_days,
        max(quantity) as highest_quantity,
        max(usage_date) filter (where quantity > 0) as last_used_on
    from marts.fct_usage_daily
    inner join intermediate.int_as_of using (account_id)
    group by account_id, subscription_item_id, week_end
)
window until as (partition by account_id, subscription_item_id order by week_end)
