{# THE one MRR: what every subscription item is worth a month and when, one row per component and span in which that is
   the same. Its words are the doc block `mrr`. What is read of MRR elsewhere is read from here. #}
with

amounts as (select * from {{ ref('int_mrr_amounts') }} where mrr_minor != 0),
items as (select * from {{ ref('int_counted_items') }}),
as_of as (select * from {{ ref('int_as_of') }}),

counted as (

    select
        items.account_id,
        items.subscription_item_id,
        items.subscription_id,
        items.customer_id,
        items.currency,
        amounts.component,
        items.is_reconstructed,
        amounts.mrr_minor,
        greatest(items.valid_from, amounts.valid_from) as valid_from,
        least(items.valid_to, amounts.valid_to) as valid_to
    from amounts
    inner join items
        on
            amounts.account_id = items.account_id
            and amounts.subscription_item_id = items.subscription_item_id
            and coalesce(items.valid_from < amounts.valid_to, true)
            and coalesce(amounts.valid_from < items.valid_to, true)
            and (amounts.component = 'metered' or amounts.is_rebuilt = items.is_reconstructed)

),

known as (

    select
        counted.*,
        {{ end_of_day('as_of.as_of') }} as known_to
    from counted
    inner join as_of
        on
            counted.account_id = as_of.account_id
            and counted.valid_from < {{ end_of_day('as_of.as_of') }}
    -- a period that was billed after the next one had begun, or that ends with another, says nothing of any time
    where coalesce(counted.valid_from < counted.valid_to, true)

),

compared as (

    select
        *,
        coalesce(
            lag(valid_to) over earlier = valid_from
            and lag(mrr_minor) over earlier = mrr_minor
            and lag(is_reconstructed) over earlier = is_reconstructed,
            false
        ) as goes_on
    from known
    window earlier as (partition by account_id, subscription_item_id, component order by valid_from)

),

numbered as (

    select
        *,
        sum(case when goes_on then 0 else 1 end) over (
            partition by account_id, subscription_item_id, component
            order by valid_from
            rows between unbounded preceding and current row
        ) as span_number
    from compared

)

select
    account_id,
    subscription_item_id,
    subscription_id,
    customer_id,
    currency,
    component,
    min(valid_from) as valid_from,
    -- open: it holds at as_of, and nobody knows for how long
    case when count(valid_to) = count(*) and max(valid_to) < max(known_to) then max(valid_to) end as valid_to,
    mrr_minor,
    is_reconstructed
from numbered
group by
    account_id,
    subscription_item_id,
    subscription_id,
    customer_id,
    currency,
    component,
    span_number,
    mrr_minor,
    is_reconstructed
