{# Those who had pressed on their quota in both of their last whole periods and would have paid less in each on a
   higher plan, fees and usage at today's prices; of several plans the one that costs least. #}
{% set quote = ['account_id', 'subscription_id', 'next_product_id'] %}
with

lines as (select * from {{ ref('int_upgrade_quotes_possible') }}),
settled as (select * from {{ ref('int_usage_periods_settled') }}),
sides as (
    select 'current' as side
    union all
    select 'next' as side
),
places as (
    select 1 as period_place
    union all
    select 2 as period_place
),

numbered as (

    select
        *,
        row_number() over (partition by account_id, subscription_item_id order by period_start desc) as period_place
    from settled

),

used as (

    select
        lines.*,
        coalesce(numbered.period_place, places.period_place) as period_place,
        coalesce(numbered.quantity, lines.licensed_quantity, 1) as quantity
    from lines
    cross join places
    left join numbered
        on
            {{ same_keys('lines', 'numbered', ['account_id', 'subscription_item_id']) }}
            and places.period_place = numbered.period_place
    where
        lines.is_moved
        and (lines.usage_type != 'metered' or numbered.quantity is not null)

),

billed as (

    select
        {{ columns_of('used', quote + ['subscription_item_id', 'period_place', 'currency', 'quantity']) }},
        sides.side,
        case sides.side when 'current' then used.price_id else used.next_price_id end as price_id
    from used
    cross join sides

),

rated as ({{ rate_totals('billed', quote[1:] + ['subscription_item_id', 'period_place', 'side']) }}),

summed as (

    select
        {{ columns_of('billed', quote + ['period_place']) }},
        count(*) = count(rated.rated_amount_minor) as is_priced,
        cast(sum(case when billed.side = 'next' then 0 else rated.rated_amount_minor end) as bigint) as current_minor,
        cast(sum(case when billed.side = 'next' then rated.rated_amount_minor else 0 end) as bigint) as next_minor
    from billed
    left join rated
        on {{ same_keys('billed', 'rated', quote + ['subscription_item_id', 'period_place', 'side']) }}
    group by {{ columns_of('billed', quote + ['period_place']) }}

),

compared as (

    select
        {{ quote | join(', ') }},
        {{ divide_half_up('sum(current_minor)', 'count(*)') }} as current_cost_minor,
        {{ divide_half_up('sum(next_minor)', 'count(*)') }} as next_cost_minor
    from summed
    group by {{ quote | join(', ') }}
    having count(*) = 2 and bool_and(is_priced and next_minor < current_minor)

),

pressed as (

    select
        {{ quote | join(', ') }},
        subscription_item_id,
        max(case when period_place = 1 then quantity end) as last_quantity,
        max(case when period_place = 2 then quantity end) as before_quantity
    from used
    where usage_type = 'metered' and included_units > 0
    group by {{ quote | join(', ') }}, subscription_item_id
    having min(quantity - cast(min_quota_share as decimal(38, 6)) * included_units) >= 0 and count(*) = 2

),

found as (

    select
        lines.*,
        {{ columns_of('compared', ['current_cost_minor', 'next_cost_minor']) }},
        {{ columns_of('pressed', ['last_quantity', 'before_quantity']) }},
        {{ share_of('pressed.last_quantity', 'lines.included_units') }} as last_share,
        {{ share_of('pressed.before_quantity', 'lines.included_units') }} as before_share,
        row_number() over (
            partition by lines.account_id, lines.subscription_id
            order by compared.next_cost_minor, lines.next_plan_rank, lines.next_product_id, lines.subscription_item_id
        ) as quote_number

    from lines
    inner join compared
        on {{ same_keys('lines', 'compared', quote) }}
    inner join pressed
        on {{ same_keys('lines', 'pressed', quote + ['subscription_item_id']) }}

)

select * from found where quote_number = 1
