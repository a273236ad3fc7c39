with

labels as (select * from {{ ref('int_churn_labels') }})

select
    account_id,
    customer_id,
    as_of_date,
    is_backfilled,
    horizon_days,
    is_churned,
    is_contracted,
    matured_on,
    is_mature
from labels
