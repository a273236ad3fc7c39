with

periods as (select * from {{ ref('int_usage_periods_ahead') }})

select
    account_id,
    subscription_item_id,
    origin_date,
    period_number,
    period_start,
    period_end,
    aggregation_formula,
    quantity_so_far,
    first_horizon,
    last_horizon,
    first_share,
    last_share,
    is_scoring
from periods
