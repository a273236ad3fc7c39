"""Tables that the revenue forecast reads, each with the few rows of one case."""

CLOSING_PERIODS = """
    create table intermediate.int_subscription_items as
    select 'acct_1' as account_id, 'si_' || n as subscription_item_id, 'sub_' || n as subscription_id,
        'cus_' || n as customer_id, 'usd' as currency, true as is_alive, 'price_' || n as price_id
    from (values ('month'), ('week'), ('year'), ('trial'), ('none')) as names(n);
    create table marts.dim_prices as
    select 'acct_1' as account_id, price_id, case replace(price_id, 'price_', '')
        when 'week' then 'week' when 'year' then 'year' else 'month' end as billing_interval, 1 as interval_count
    from intermediate.int_subscription_items;
    create table seeds.billing_intervals as
    from (values ('week', 52), ('month', 12), ('year', 1)) as given(billing_interval, intervals_per_year);
    create table intermediate.int_usage_paths_periods as
    select 'acct_1' as account_id, 'si_' || n as subscription_item_id, date '2026-10-31' as as_of,
        false as is_backtest, p as period_number, s::timestamp as period_start, e::timestamp as period_end,
        a as rated_amount_minor
    from (values
        ('month', 0, '2026-10-01', '2026-11-01', 100), ('month', 1, '2026-11-01', '2026-12-01', 110),
        ('month', 2, '2026-12-01', '2027-01-01', 120),
        ('week', 0, '2026-11-20', '2026-11-27', 30), ('week', 1, '2026-11-27', '2026-12-04', 60),
        ('year', 0, '2026-01-15', '2027-01-15', 2400), ('trial', 0, '2026-10-20', '2026-11-20', 999),
        ('trial', 1, '2026-11-20', '2026-12-20', 50), ('month', 3, '2027-01-01', '2027-02-01', null)
    ) as given(n, p, s, e, a);
    create table marts.fct_usage_periods as
    select 'acct_1' as account_id, 'si_trial' as subscription_item_id, timestamp '2026-10-20' as period_start,
        true as is_open, true as is_trial;
    create table intermediate.int_mrr_spans as
    select 'acct_1' as account_id, 'si_' || n as subscription_item_id, 'sub_' || n as subscription_id,
        'cus_' || n as customer_id, 'usd' as currency, 'metered' as component, a as mrr_minor,
        timestamp '2026-10-01' as valid_from, null::timestamp as valid_to
    from (values ('month', 90::bigint), ('none', 70)) as given(n, a);
    create table intermediate.int_valuation_days as
    select 'acct_1' as account_id, date '2026-10-01' as month_start, timestamp '2026-11-01' as valued_until;
"""

BOOKED_ENDS = """
    create table intermediate.int_subscriptions as
    select 'acct_1' as account_id, 'sub_' || n as subscription_id, null::timestamp as ended_at,
        n = 'period' as cancel_at_period_end
    from (values ('date'), ('period'), ('schedule'), ('released'), ('living')) as names(n);
    create table staging.stg_stripe__subscriptions as
    select 'acct_1' as account_id, subscription_id, timestamp '2026-01-01' as created_at,
        null::timestamp as canceled_at,
        case subscription_id when 'sub_date' then timestamp '2027-02-03' end as cancel_at
    from intermediate.int_subscriptions;
    create table staging.stg_stripe__subscription_items as
    select 'acct_1' as account_id, subscription_id, timestamp '2026-11-20' as current_period_end,
        false as is_deleted
    from intermediate.int_subscriptions;
    create table staging.stg_stripe__subscription_schedules as
    select 'acct_1' as account_id, 'sub_' || n as subscription_id, 'active' as status, b as end_behavior,
        timestamp '2026-01-01' as created_at, false as is_deleted,
        [{ends_at: timestamp '2027-01-01'}, {ends_at: timestamp '2027-05-01'}] as phases
    from (values ('schedule', 'cancel'), ('released', 'release')) as given(n, b);
"""

PLAN_CHANGES = """
    create table intermediate.int_mrr_spans as
    select 'acct_1' as account_id, 'sub_a' as subscription_id, 'cus_a' as customer_id, 'jpy' as currency,
        component, mrr_minor, f::timestamp as valid_from, t::timestamp as valid_to
    from (values
        ('committed', 100::bigint, '2026-07-10', '2026-09-10'), ('committed', 300, '2026-09-10', null),
        ('metered', 40, '2026-08-31 23:59:59.999999', '2026-09-30 23:59:59.999999'),
        ('metered', 70, '2026-09-30 23:59:59.999999', null)
    ) as given(component, mrr_minor, f, t);
    create table intermediate.int_plan_history as
    select 'acct_1' as account_id, 'sub_a' as subscription_id, plan, f::timestamp as known_from,
        t::timestamp as known_to
    from (values ('starter', '2026-08-10', '2026-09-10'), ('growth', '2026-09-10', null)) as given(plan, f, t);
    create table marts.dim_subscriptions as
    select 'acct_1' as account_id, 'sub_a' as subscription_id, 'scale' as plan;
    create table intermediate.int_valuation_days as
    select 'acct_1' as account_id, m::date as month_start, v::date as valued_on, v::date + 1 as valued_until
    from (values ('2026-07-01', '2026-07-31'), ('2026-08-01', '2026-08-31'), ('2026-09-01', '2026-09-30'),
        ('2026-10-01', '2026-10-30')) as given(m, v);
"""
