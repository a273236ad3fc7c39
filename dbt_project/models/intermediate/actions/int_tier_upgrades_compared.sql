{# The same projected period on both plans, through the one rating rule. #}
with

moves as (select * from {{ ref('int_tier_upgrades_moved') }}),
sides as (select unnest(['current', 'next']) as side),
cases as (select unnest(['low', 'mean', 'high']) as quantity_case),

quantities as (

    select
        moves.account_id,
        moves.upgrade_item_id,
        moves.subscription_item_id,
        moves.usage_type,
        sides.side,
        cases.quantity_case,
        case sides.side when 'current' then moves.price_id else moves.next_price_id end as price_id,
        case cases.quantity_case
            when 'low' then moves.quantity_low
            when 'mean' then moves.quantity
            else moves.quantity_high
        end as quantity

    from moves
    cross join sides
    cross join cases

),

rated as (

    {{ rate_totals('quantities', ['upgrade_item_id', 'subscription_item_id', 'usage_type', 'side', 'quantity_case']) }}

),

compared as (

    select
        account_id,
        upgrade_item_id,
        cast(coalesce(sum(rated_amount_minor) filter (
            where side = 'current' and quantity_case = 'mean'
        ), 0) as bigint) as current_cost_minor,
        cast(coalesce(sum(rated_amount_minor) filter (
            where side = 'next' and quantity_case = 'mean'
        ), 0) as bigint) as next_cost_minor,
        cast(coalesce(sum(case side when 'next' then rated_amount_minor else -rated_amount_minor end) filter (
            where quantity_case = 'mean' and usage_type = 'licensed'
        ), 0) as bigint) as licensed_increase_minor,
        cast(coalesce(sum(case side when 'next' then rated_amount_minor else -rated_amount_minor end) filter (
            where quantity_case = 'low'
        ), 0) as bigint) as difference_at_low_minor,
        cast(coalesce(sum(case side when 'next' then rated_amount_minor else -rated_amount_minor end) filter (
            where quantity_case = 'high'
        ), 0) as bigint) as difference_at_high_minor

    from rated
    group by account_id, upgrade_item_id

)

select * from compared
