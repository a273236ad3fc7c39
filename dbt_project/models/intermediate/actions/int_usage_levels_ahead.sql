{# What the running period of each metered item may still pass: its quota, the next edge of a tier, a spend level (a
   multiple of what the last period cost, at least the floor) and the end of the prepaid credit that is being spent. Where
   it is money, as level_minor: what this item's usage costs then. An item in trial costs nothing, one that keeps its last
   value has no units to count, and an unwatched meter tells nobody. #}
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
caps as (select * from {{ ref('action_caps') }}),
grants as (select * from {{ ref('int_credit_grants_live') }} where place = 1),
draws as (select * from {{ ref('int_upcoming_credits') }} where path > 0),
invoices as (select * from {{ ref('int_upcoming_invoices') }} where is_running),

watched as (

    select
        periods.*,
        kinds.kind,
        kinds.bill_multiple,
        settled.rated_amount_minor as last_minor,
        caps.floor_minor
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
    left join caps
        on
            {{ same_keys('kinds', 'caps', ['kind']) }}
            and periods.currency = caps.currency

),

-- of each line, on the mean of paths; the line that draws most is watched, the others go on beside it
credit_draws as (

    select
        grants.account_id,
        draws.line_id as subscription_item_id,
        grants.remaining_minor,
        sum(draws.drawn_minor) as line_minor,
        sum(sum(draws.drawn_minor)) over (partition by grants.account_id, grants.credit_grant_id) as all_minor,
        row_number() over (
            partition by grants.account_id, grants.credit_grant_id
            order by sum(draws.drawn_minor) desc, draws.line_id
        ) as line_place
    from grants
    inner join draws
        on {{ same_keys('grants', 'draws', ['account_id', 'credit_grant_id']) }}
    inner join invoices
        on {{ same_keys('draws', 'invoices', ['account_id', 'subscription_id', 'period_end']) }}
    group by grants.account_id, grants.credit_grant_id, draws.line_id, grants.remaining_minor

),

counted_draws as (
    select
        account_id,
        count(distinct path) as paths
    from draws
    group by account_id
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
    -- the end of what is included is told as the quota
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
        tiers.upper_bound >= watched.quantity_so_far
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
        {{ columns_of('credit_draws', item) }},
        'credit' as level,
        cast(null as decimal(18, 6)) as level_quantity,
        credit_draws.remaining_minor
        - {{ divide_half_up('credit_draws.all_minor - credit_draws.line_minor', 'counted_draws.paths') }} as level_minor,
        credit_draws.remaining_minor
    from credit_draws
    inner join counted_draws
        on credit_draws.account_id = counted_draws.account_id
    where credit_draws.line_place = 1

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
