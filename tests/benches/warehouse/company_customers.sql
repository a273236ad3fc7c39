-- Who the customers are and what each is billed for, as functions of a number.
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

create or replace temp table items as
select companies.*, plans.* exclude (currency), 'si_' || left(md5('i' || c || '-' || k), 14) as item_id
from companies
inner join plans using (currency);

create or replace temp macro invoice_id_of(c, invoice) as 'in_' || left(md5('v' || c || '-' || invoice), 24);
