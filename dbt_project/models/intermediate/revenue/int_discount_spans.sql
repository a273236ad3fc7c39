{# The recurring discounts of subscriptions. A coupon that applies once is none. #}
with

placed as (select * from {{ ref('int_discounts_placed') }})

select
    account_id,
    subscription_id,
    subscription_item_id,
    discount_id,
    owner_rank,
    position,
    percent_off,
    amount_off_minor,
    currency,
    product_ids,
    valid_from,
    valid_to
from placed
where coalesce(duration != 'once', false)
