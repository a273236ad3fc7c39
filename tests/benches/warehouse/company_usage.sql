-- What customers use and what it costs: a level of each item's own, and chance that is a function of item and day.

create or replace temp macro amount_of(k, quantity) as round(
    case k
        when 0 then 4900
        when 1 then greatest(quantity - 10000, 0) * 0.02
        when 2 then quantity * 0.0035
        else quantity * case when quantity <= 1000 then 2 else 1.5 end
    end
)::bigint;

-- A level of its own, quieter weekends, noise, a spike in ten thousand days, and a late event in a hundred, which a load
-- three days later finds.
create or replace temp macro used(c, k, day, until) as (
    20 * (1 + hash(c, k) % 50) * (case when isodow(day) >= 6 then 6 else 10 end) * (50 + hash(c, k, day) % 100)
    * (case when hash(c, k, day) % 10007 = 0 then 9 else 1 end) // 100
    + (case when is_late(c, k, day) and day <= until - 3 then 1 else 0 end)
)::bigint;
-- Two windows in a hundred are missing: a day without events may have none.
create or replace temp macro is_silent(c, k, day) as hash(k, day, c) % 50 = 0;
create or replace temp macro is_late(c, k, day) as hash(day, c, k) % 100 = 0;

create or replace temp macro days_used(first_day, last_day) as table
select *, used(c, k, day, getvariable('until')) as quantity
from (
    select
        * exclude (day),
        day::date as day
    from (
        select
            *,
            unnest(generate_series(
                greatest(started_at, first_day::timestamp)::date,
                least(last_day, (ended_at - interval 1 microsecond)::date),
                interval 1 day
            )) as day
        from items
        where k > 0
    )
    where not is_silent(c, k, day::date)
);

-- What each period used that has not been closed by the end of `since`: the day on which a period begins is split at
-- its minute, and what a subscription used on its last day is all its last period's.
create or replace temp macro periods_used() as table
select
    *,
    started_at + to_months(n) as period_start,
    started_at + to_months(n + 1) as period_end,
    amount_of(k, quantity) as amount,
    period_end <= getvariable('until') + 1 as is_closed
from (
    select
        * exclude (total, before),
        total - before + coalesce(lead(before) over (partition by c, k order by n), 0) as quantity
    from (
        select
            c,
            k,
            any_value(started_at) as started_at,
            any_value(months_lived) as months_lived,
            (months_of(day - to_days((c % 28)::integer)) - months_of(getvariable('first_day')))::integer as n,
            sum(quantity)::bigint as total,
            case
                when n = 0 then 0
                when n = any_value(months_lived) then total
                else coalesce(
                    max(case
                        when day(day) = 1 + c % 28 then quantity * (37 * c % 1440) // 1440
                    end),
                    0
                )
            end::bigint as before
        from days_used(getvariable('since') - 33, getvariable('until'))
        group by c, k, n
    )
)
where
    coalesce(n < months_lived, true)
    and started_at + to_months(n + 1) > getvariable('since') + 1;
