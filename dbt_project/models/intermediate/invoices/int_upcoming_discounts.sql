{# Which discounts come off which lines of the invoices to come, in Stripe's order: those of an item, then the
   subscription's, or the customer's where it has none. One that has ended when the period does is none; one that counts
   once comes off the next invoice alone. #}
with

invoices as (select * from {{ ref('int_upcoming_invoices') }}),
items as (select * from {{ ref('int_upcoming_items') }} where is_metered),
lines as (select * from {{ ref('int_upcoming_lines') }} where is_discountable),
placed as (select * from {{ ref('int_discounts_placed') }}),

every_line as (

    select
        account_id,
        subscription_id,
        period_end,
        subscription_item_id as line_id,
        subscription_item_id,
        product_id
    from items
    union all
    select
        account_id,
        subscription_id,
        period_end,
        line_id,
        subscription_item_id,
        product_id
    from lines

),

applicable as (

    select
        every_line.account_id,
        every_line.subscription_id,
        every_line.period_end,
        every_line.line_id,
        placed.percent_off,
        placed.amount_off_minor,
        placed.owner_rank,
        min(case when placed.owner_rank > 1 then placed.owner_rank end) over (
            partition by every_line.account_id, every_line.subscription_id, every_line.period_end
        ) as whose,
        dense_rank() over (
            partition by every_line.account_id, every_line.subscription_id, every_line.period_end
            order by
                placed.owner_rank,
                coalesce(placed.subscription_item_id, ''),
                coalesce(placed.position, 99),
                placed.discount_id
        ) as step
    from every_line
    inner join invoices
        on {{ same_keys('every_line', 'invoices', ['account_id', 'subscription_id', 'period_end']) }}
    inner join placed
        on
            {{ same_keys('every_line', 'placed', ['account_id', 'subscription_id']) }}
            and placed.valid_from <= {{ end_of_day('invoices.as_of') }}
            and every_line.period_end < placed.valid_to
            and (placed.duration != 'once' or invoices.place_of_subscription = 1)
            and coalesce(placed.subscription_item_id = every_line.subscription_item_id, placed.owner_rank > 1)
            and coalesce({{ is_in_list('every_line.product_id', 'placed.product_ids') }}, true)
            and coalesce(invoices.currency = placed.currency, true)

)

select * from applicable
where
    owner_rank <= 2
    or whose = 3
