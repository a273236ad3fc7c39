{# One customer's subscriptions on one plan in one currency, added up: what every other figure of the revenue forecast
   is a sum of. Overrides come after it. #}
with

subscriptions as (select * from {{ ref('int_subscriptions_ahead') }})

select
    account_id,
    customer_id,
    plan,
    currency,
    as_of,
    month_start,
    months_ahead,
    hazard_source,
    survival,
    bool_or(has_paths) as has_paths,
    cast(sum(mrr_now_minor) as bigint) as mrr_now_minor,
    cast(sum(committed_book_minor) as bigint) as committed_book_minor,
    cast(sum(metered_book_minor) as bigint) as metered_book_minor,
    cast(sum(usage_growth_minor) as bigint) as usage_growth_minor,
    max(method) as method,
    max(model_version) as model_version
from subscriptions
group by
    account_id,
    customer_id,
    plan,
    currency,
    as_of,
    month_start,
    months_ahead,
    hazard_source,
    survival
