{# What the running period of each metered item may still pass: its quota, the next edge of a tier, a spend level (a
   multiple of what the last period cost, at least the floor) and the end of the prepaid credit that is being spent.
   Where it is money, as level_minor: what this item's usage costs then. An item in trial costs nothing, one that
   keeps its last value has no units to count, and an unwatched meter tells nobody. #}
{% set item = ['account_id', 'subscription_item_id'] %}
with

periods as (select * from {{ ref('int_open_periods_forecast') }} where days_elapsed > 0 and days_remaining > 0),
open_periods as (
    select * from {{ ref('fct_usage_periods') }}
    where is_open and not is_trial and aggregation_formula in ('sum', 'count')
),
subscriptions as (select * from {{ ref('dim_subscriptions') }} where status in ('active', 'past_due')),
staged as (select * from {{ ref('stg_stripe__subscriptions') }} where not is_deleted and pause_behavior is null),
meters as (select * from {{ ref('stg_stripe__meters') }} where status = 'active'),
settled as (select * from {{ ref('int_usage_periods_settled') }}),
tiers as (select * from {{ ref('int_price_tiers') }}),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'usage_alert'),
floors as (select * from {{ ref('action_rules') }} where name = 'floor_minor'),
credits as (select * from {{ ref('int_usage_levels_of_credits') }}),

watched as (

    select
        periods.*,
        kinds.kind,
        kinds.bill_multiple,
        settled.rated_amount_minor as last_minor,
        settled.quantity as last_quantity,
        floors.value as floor_minor
    from periods
    cross join kinds
    inner join open_periods
        on {{ same_keys('periods', 'open_periods', item + ['period_start']) }}
    inner join subscriptions
        on {{ same_keys('periods', 'subscriptions', ['account_id', 'subscription_id']) }}
    inner join staged
        on {{ same_keys('periods', 'staged', ['account_id', 'subscription_id']) }}
    inner join meters
        on {{ same_keys('periods', 'meters', ['account_id', 'meter_id']) }}
    left join settled
        on
            {{ same_keys('periods', 'settled', item) }}
            and periods.period_start = settled.period_end
    left join floors
        on kinds.kind = floors.kind and periods.currency = floors.currency

),

levels as (

    select
        {{ columns_of('watched', item) }},
        'quota' as level,
        floor(included_units) + 1 as level_quantity,
        cast(null as bigint) as level_minor,
        cast(null as bigint) as remaining_minor
    from watched
    where included_units > 0
    union all
    -- the end of what is included is told as the quota; an edge that the last period passed as well is no news
    select
        {{ columns_of('watched', item) }},
        'tier_edge' as level,
        floor(min(tiers.upper_bound)) + 1 as level_quantity,
        cast(null as bigint) as level_minor,
        cast(null as bigint) as remaining_minor
    from watched
    inner join tiers
        on {{ same_keys('watched', 'tiers', ['account_id', 'price_id', 'currency']) }}
    where
        tiers.upper_bound >= greatest(watched.quantity_so_far, coalesce(watched.last_quantity, 0))
        and tiers.upper_bound > coalesce(watched.included_units, 0)
    group by {{ columns_of('watched', item) }}
    union all
    select
        {{ columns_of('watched', item) }},
        'spend' as level,
        cast(null as decimal(18, 6)) as level_quantity,
        cast(greatest(ceil(watched.bill_multiple * watched.last_minor), watched.floor_minor) as bigint) as level_minor,
        cast(null as bigint) as remaining_minor
    from watched
    where watched.last_minor >= 0 and watched.floor_minor is not null
    union all
    select
        {{ columns_of('credits', item) }},
        'credit' as level,
        cast(null as decimal(18, 6)) as level_quantity,
        credits.level_minor,
        credits.remaining_minor
    from credits

)

select
    watched.*,
    levels.level,
    levels.level_quantity,
    levels.level_minor,
    levels.remaining_minor
from watched
inner join levels
    on {{ same_keys('watched', 'levels', item) }}
where coalesce(levels.level_minor > 0, true)
