"""The questions that plan a load's usage, in DuckDB's SQL: what is metered, what was read of it, what to ask for.

{names in braces} are raw tables, or empty ones of the same columns where a table has not landed. Statements make temp
tables that later ones read. Variables, times in UTC: `until` the end of cover, `stamp` of the last finished
load, `now` of this one, `window_day` on which the whole window was last read, `recent_days`, `window_days`, `is_whole`.
"""

# The row of an id's newest version: rowid decides between equal stamps. One number, which takes a tenth of the memory
# of arg_max over a pair of them.
NEWEST = "(max(epoch_us(loaded_at)::hugeint * 1000000000000 + rowid) % 1000000000000)::bigint"

# When pairs of a meter were last read, and from when they are read now: for days and for periods apart, since a
# warehouse may know the one and not yet the other. Between two reads of the whole window late events came in for days
# before the first of them, so the next window is counted from there.
COVER = """
create temp table cover as
with reported as (
    select kind, meter_id, least(max(covered_until), getvariable('until')) as covered_until
    from {load_report}
    where kind in ('meter_usage', 'meter_usage_periods') and covered_until is not null
    group by kind, meter_id
)
select
    *,
    least(covered_until, getvariable('window_day')) - to_days(getvariable('window_days')) as whole_from,
    least(covered_until, getvariable('until') - to_days(getvariable('recent_days'))) as recent_from,
    if(getvariable('is_whole'), whole_from, recent_from) as reads_from
from reported
"""

METERS = """
create temp table active_meters as
select id as meter_id
from {meters}
where rowid in (select {newest} from {meters} group by id)
    and not is_deleted
    and json_extract_string(payload, '$.status') = 'active'
"""

DELETED = """
create temp table deleted_customers as
select id as customer_id
from {customers}
where id in (select id from {customers} where is_deleted)
group by id
having arg_max(is_deleted, row(loaded_at, rowid))
"""

SUBSCRIPTIONS = """
create temp table owners as
with newest as (
    select id, json_extract_string(payload, ['$.customer', '$.start_date', '$.ended_at']) as found
    from {subscriptions}
    where rowid in (select {newest} from {subscriptions} group by id)
        and not is_deleted
)
select id, found[1] as customer_id, found[2]::bigint as started, found[3]::bigint as ended
from newest
"""

# Items as they are, and as they were until lately: a removed or repriced one may still get late events.
ITEMS = """
create temp table metered_items as
with versions as (
    select
        rowid as position,
        is_deleted,
        lead(loaded_at) over (partition by id order by loaded_at, rowid) as replaced_at
    from {subscription_items}
),
chosen as (
    select position, replaced_at
    from versions
    where not is_deleted
        and (
            replaced_at is null
            or replaced_at > coalesce((select min(whole_from) from cover), '-infinity'::timestamp)
        )
),
read as (
    select
        items.id,
        items.parent_id,
        chosen.replaced_at,
        json_extract_string(items.payload, [
            '$.price.recurring.meter', '$.price.id', '$.current_period_start', '$.current_period_end',
            '$.price.transform_quantity.divide_by', '$.price.transform_quantity.round'
        ]) as found
    from {subscription_items} as items
    inner join chosen on items.rowid = chosen.position
)
select
    id,
    parent_id,
    replaced_at,
    found[1] as meter_id,
    found[2] as price_id,
    found[3]::bigint as period_start,
    found[4]::bigint as period_end,
    found[5]::bigint as divide_by,
    found[6] as rounding
from read
where found[1] is not null
"""

# As it was listed; the copy inside an item lacks the tiers, yet outlives a price that was deleted before it was listed.
PRICES = """
create temp table metered_prices as
with listed as (
    select
        id,
        json_extract_string(payload, [
            '$.recurring.meter', '$.transform_quantity.divide_by', '$.transform_quantity.round'
        ]) as found,
        json_extract(payload, '$.tiers[*].flat_amount')::bigint[] as flat_amounts
    from {prices}
    where rowid in (select {newest} from {prices} where not is_deleted group by id)
),
copied as (
    select price_id, any_value(meter_id) as meter_id, any_value(divide_by) as divide_by, any_value(rounding) as rounding
    from metered_items
    anti join listed on metered_items.price_id = listed.id
    group by price_id
)
select id, found[1] as meter_id, found[2]::bigint as divide_by, found[3] as rounding, flat_amounts
from listed
where found[1] is not null
union all
select price_id, meter_id, divide_by, rounding, null
from copied
"""

# (meter, customer) pairs and from when their days and hours are read; null where nothing is asked.
# A pair is known if a finished load has landed a row of it, or an item that names it: unused ones have no rows.
# Of a known pair, too, a new item is read from its subscription's start, which may be dated back.
PAIRS = """
create temp table pairs as
with fresh as (select id from {subscription_items} group by id having min(loaded_at) > getvariable('stamp')),
named as (
    select
        items.id,
        items.meter_id,
        owners.customer_id,
        date_trunc('day', make_timestamp(owners.started * 1000000)) as since,
        if(items.id in (from fresh), since, null) as fresh_since,
        case
            when items.replaced_at is not null then items.replaced_at
            when owners.ended is null then 'infinity'::timestamp
            else make_timestamp(owners.ended * 1000000)
        end as ended_at
    from metered_items as items
    inner join owners on items.parent_id = owners.id
),
billed_pairs as (
    select
        meter_id,
        customer_id,
        date_trunc('day', make_timestamp(min(period_start) * 1000000)) as since,
        make_timestamp(max(period_end) * 1000000) as ended_at,
        bool_and(loaded_at <= getvariable('stamp')) as is_known
    from billed
    group by meter_id, customer_id
),
landed as (
    select meter_id, customer_id, max(window_start) filter (where aggregated_value <> 0) as last_used
    from {meter_usage_revisions}
    where first_seen_at <= getvariable('stamp')
    group by meter_id, customer_id
),
unused as (
    select distinct id, meter_id, customer_id
    from named
    anti join landed using (meter_id, customer_id)
),
seen as (
    select meter_id, customer_id, null::timestamp as last_used from billed_pairs where is_known
    union all
    select unused.meter_id, unused.customer_id, null::timestamp
    from unused
    inner join {subscription_items} as versions on unused.id = versions.id
    where versions.loaded_at <= getvariable('stamp')
        and json_extract_string(versions.payload, '$.price.recurring.meter') = unused.meter_id
),
known as (
    select meter_id, customer_id, max(last_used) as last_used
    from (select * from landed union all select * from seen)
    group by meter_id, customer_id
),
metered as (
    select meter_id, customer_id, min(since) as since, min(fresh_since) as fresh_since, max(ended_at) as ended_at
    from (
        select meter_id, customer_id, since, fresh_since, ended_at from named
        union all
        select meter_id, customer_id, since, null, ended_at from billed_pairs
    )
    group by meter_id, customer_id
),
joined as (
    select
        coalesce(metered.meter_id, known.meter_id) as meter_id,
        coalesce(metered.customer_id, known.customer_id) as customer_id,
        metered.since,
        metered.fresh_since,
        greatest(
            coalesce(metered.ended_at, '-infinity'::timestamp), coalesce(known.last_used, '-infinity'::timestamp)
        ) as lives_until,
        known.meter_id is not null and cover.meter_id is not null as is_known,
        cover.reads_from,
        cover.recent_from
    from metered
    full join known on metered.meter_id = known.meter_id and metered.customer_id = known.customer_id
    left join cover on known.meter_id = cover.meter_id and cover.kind = 'meter_usage'
)
select
    meter_id,
    customer_id,
    is_known,
    if(is_known, least(if(lives_until > reads_from, reads_from, null), fresh_since), since) as days_from,
    case
        when is_known and lives_until > recent_from then recent_from
        when not is_known and lives_until > getvariable('until') - to_days(getvariable('recent_days'))
            then greatest(since, getvariable('until') - to_days(getvariable('recent_days')))
    end as hours_from
from joined
anti join deleted_customers using (customer_id)
"""

# One row per request: no more windows than Stripe puts on a page.
SLICES = """
create temp table asked_{grain}s as
with slices as (
    select
        meter_id,
        customer_id,
        {starts} as starts,
        unnest(range(0, ceil(date_diff('{grain}', {starts}, getvariable('until')) / {page})::bigint)) as slice
    from pairs
    where {starts} < getvariable('until')
)
select
    row_number() over (order by meter_id, customer_id, slice) - 1 as no,
    meter_id,
    customer_id,
    starts + to_{grain}s(slice * {page}) as window_start,
    least(starts + to_{grain}s((slice + 1) * {page}), getvariable('until')) as window_end,
    '{grain}' as grain
from slices
"""

# The latest landed value of every window that may be asked for.
HELD = """
create temp table held_{grain}s as
select
    revisions.meter_id,
    revisions.customer_id,
    revisions.window_start,
    max(revisions.window_end) as window_end,
    arg_max(revisions.aggregated_value, revisions.first_seen_at) as held
from {revisions} as revisions
inner join pairs using (meter_id, customer_id)
where revisions.window_start >= (select min({starts}) from pairs)
    and revisions.window_start >= pairs.{starts}
group by all
"""

# What changes among some requests: `found` is what they listed. A window that is no longer listed has lost its events.
REVISED = """
with asked as (select * from asked_{grain}s where no between ? and ?),
listed as (
    select
        asked.meter_id,
        asked.customer_id,
        make_timestamp(found.started * 1000000) as window_start,
        make_timestamp(found.ended * 1000000) as window_end,
        found.value
    from found
    inner join asked using (no)
),
before as (
    select held.*
    from held_{grain}s as held
    inner join asked
        on held.meter_id = asked.meter_id
            and held.customer_id = asked.customer_id
            and held.window_start >= asked.window_start
            and held.window_start < asked.window_end
)
select
    getvariable('account_id') as account_id,
    meter_id,
    customer_id,
    window_start,
    coalesce(listed.window_end, before.window_end) as window_end,
    coalesce(listed.value, 0)::decimal(38, 12) as aggregated_value,
    getvariable('now') as first_seen_at
from listed
full join before using (meter_id, customer_id, window_start)
where listed.value is distinct from before.held and coalesce(listed.value, 0) is distinct from before.held
order by meter_id, customer_id, window_start
"""
