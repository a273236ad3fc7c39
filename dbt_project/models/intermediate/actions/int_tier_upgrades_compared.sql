{# The same projected period on both plans, through the one rating rule. #}
with

moves as (select * from {{ ref('int_tier_upgrades_moved') }}),
sides as (
    select 'current' as side
    union all
    select 'next' as side
),
cases as (
    select 'low' as quantity_case
    union all
    select 'mean' as quantity_case
    union all
    select 'high' as quantity_case
),

quantities as (

    select
        moves.account_id,
        moves.upgrade_item_id,
        moves.subscription_item_id,
        moves.usage_type,
        moves.currency,
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

signed as (

    select
        *,
        case side when 'next' then rated_amount_minor else -rated_amount_minor end as difference_minor

    from rated

),

compared as (

    select
        account_id,
        upgrade_item_id,
        cast(sum(
            case when side = 'current' and quantity_case = 'mean' then rated_amount_minor else 0 end
        ) as bigint) as current_cost_minor,
        cast(sum(
            case when side = 'next' and quantity_case = 'mean' then rated_amount_minor else 0 end
        ) as bigint) as next_cost_minor,
        cast(sum(
            case when quantity_case = 'mean' and usage_type = 'licensed' then difference_minor else 0 end
        ) as bigint) as licensed_increase_minor,
        cast(sum(case when quantity_case = 'low' then difference_minor else 0 end) as bigint)
            as difference_at_low_minor,
        cast(sum(case when quantity_case = 'high' then difference_minor else 0 end) as bigint)
            as difference_at_high_minor

    from signed
    group by account_id, upgrade_item_id
    -- nobody is offered what cannot be priced
    having count(*) = count(rated_amount_minor)

)

select * from compared
