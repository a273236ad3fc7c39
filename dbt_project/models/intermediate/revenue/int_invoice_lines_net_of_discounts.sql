{# Licensed lines less the discounts that recur. A discount is taken to recur unless its coupon is known to apply once;
   Stripe shows the coupons of discounts that are on something now, and its events those of the last 30 days; of earlier
   ones nothing is known. #}
with

lines as (select * from {{ ref('int_invoice_lines') }}),
discounts as (select * from {{ ref('int_discount_lives') }}),
coupons as (select * from {{ ref('stg_stripe__coupons') }}),

line_discounts as ({{ unnest_discount_amounts('lines', ['account_id', 'invoice_line_id']) }}),

recurring as (

    select
        line_discounts.account_id,
        line_discounts.invoice_line_id,
        sum(line_discounts.amount_minor) as amount_minor
    from line_discounts
    left join discounts
        on
            line_discounts.account_id = discounts.account_id
            and line_discounts.discount_id = discounts.discount_id
    left join coupons
        on
            discounts.account_id = coupons.account_id
            and {{ id_of('discounts.coupon') }} = coupons.coupon_id
    where coalesce(coupons.duration != 'once', true)
    group by
        line_discounts.account_id,
        line_discounts.invoice_line_id

)

select
    lines.account_id,
    lines.invoice_line_id,
    lines.invoice_id,
    lines.subscription_item_id,
    lines.plan_rank,
    lines.quantity,
    lines.billing_interval,
    lines.interval_count,
    lines.period_start,
    lines.period_end,
    lines.invoiced_at,
    coalesce(recurring.amount_minor, 0) > 0 as has_discount,
    cast(lines.amount_minor - coalesce(recurring.amount_minor, 0) as bigint) as amount_minor
from lines
left join recurring
    on
        lines.account_id = recurring.account_id
        and lines.invoice_line_id = recurring.invoice_line_id
where
    lines.is_known
    -- a draft is no revenue until it is final, and a void invoice none at all
    and lines.finalized_at is not null
    and not lines.is_void
    and not lines.is_metered
    and not lines.is_unpriced
    and not lines.is_proration
    and lines.subscription_item_id is not null
