-- What company.py draws on: who the customers are, what each is billed for and what they use, as functions of a number.
-- Variables: customers, first_day, since and until (usage of the days after `since` up to `until` lands), landed_at.

create or replace temp macro months_of(day) as 12 * year(day) + month(day);
create or replace temp macro seconds_of(moment) as epoch(moment)::bigint;

create or replace temp table companies as
select
    c,
    'cus_' || left(md5('c' || c), 14) as customer_id,
    'sub_' || left(md5('s' || c), 24) as subscription_id,
    case when c % 10 = 3 then 'jpy' else 'usd' end as currency,
    ['startup', 'growth', 'enterprise'][1 + c % 3] as segment,
    getvariable('first_day')::timestamp + to_days((c % 28)::integer) + to_minutes(37 * c % 1440) as started_at,
    case when c % 10 = 9 then 12 end as months_lived,
    started_at + to_months(months_lived) as ended_at,
    -- the start of the period that runs when `until` is over, or of the last one
    least(
        months_of(getvariable('until') + 1 - to_days((c % 28)::integer)) - months_of(getvariable('first_day'))
        - case when day(getvariable('until') + 1) = 1 + c % 28 and 37 * c % 1440 > 0 then 1 else 0 end,
        months_lived - 1
    )::integer as current_period
from range(getvariable('customers')::bigint) as numbers (c);

create or replace temp table plans as
select
    k,
    currency,
    'price_bench_' || event_name || '_' || currency as price_id,
    'prod_bench_' || event_name as product_id,
    event_name || '_' || currency as lookup_key,
    case when k > 0 then 'mtr_bench_' || event_name end as meter_id,
    event_name,
    case when k > 0 then 'metered' else 'licensed' end as usage_type,
    case when tiers is null then 'per_unit' else 'tiered' end as billing_scheme,
    -- as they stand in payloads, quotes and all
    to_json(meter_id)::varchar as meter,
    to_json(terms.tiers_mode)::varchar as tiers_mode,
    to_json(terms.unit_amount)::varchar as unit_amount,
    tiers,
    case when k = 0 then '{"plan": "growth", "plan_rank": "1"}' else '{}' end as metadata
from (
    values
    (0, 'fee', null, '4900', null),
    (
        1, 'api_calls', 'graduated', null,
        '[{"up_to": 10000, "unit_amount_decimal": "0"}, {"up_to": null, "unit_amount_decimal": "0.02"}]'
    ),
    (2, 'compute_seconds', null, '0.0035', null),
    (
        3, 'storage', 'volume', null,
        '[{"up_to": 1000, "unit_amount_decimal": "2"}, {"up_to": null, "unit_amount_decimal": "1.5"}]'
    )
) as terms (k, event_name, tiers_mode, unit_amount, tiers)
cross join (values ('usd'), ('jpy')) as currencies (currency);

create or replace temp macro amount_of(k, quantity) as round(
    case k
        when 0 then 4900
        when 1 then greatest(quantity - 10000, 0) * 0.02
        when 2 then quantity * 0.0035
        else quantity * case when quantity <= 1000 then 2 else 1.5 end
    end
)::bigint;

create or replace temp table items as
select companies.*, plans.* exclude (currency), 'si_' || left(md5('i' || c || '-' || k), 14) as item_id
from companies
inner join plans using (currency);

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

create or replace temp macro invoice_id_of(c, invoice) as 'in_' || left(md5('v' || c || '-' || invoice), 24);
