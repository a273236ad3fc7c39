-- Invoices with their lines, usage and summaries of periods as a load leaves them, and its report; it reads
-- the macros of company_objects.sql.

create or replace temp table periods as from periods_used();

-- each invoice bills the fee of the period that begins and the usage of the one that is over
create or replace temp table billed as
select
    c, k, n as invoice, 1 as quantity, 4900 as amount,
    started_at + to_months(n) as period_start,
    started_at + to_months(n + 1) as period_end
from (select *, unnest(range(coalesce(months_lived, 24)))::integer as n from items where k = 0)
where period_start > getvariable('since') + 1 and period_start <= getvariable('until') + 1
union all
select c, k, n + 1 as invoice, quantity, amount, period_start, period_end
from periods
where is_closed;

insert into raw_stripe.invoices
select unnest(object_row(invoice_id, created, payload_of('invoice')))
from (
    select
        companies.*,
        c as number,
        invoice + 1 as position,
        invoice_id_of(c, invoice) as invoice_id,
        seconds_of(started_at + to_months(greatest(invoice - 1, 0))) as period_start,
        seconds_of(started_at + to_months(invoice)) as created,
        created + 3600 as finalized,
        case when invoice = 0 then 'subscription_create' else 'subscription_cycle' end as billing_reason,
        total
    from (select c, invoice, sum(amount)::bigint as total from billed group by c, invoice)
    inner join companies using (c)
);

insert into raw_stripe.invoice_lines
select
    unnest(object_row(line_id, created, payload_of('invoice_line'))),
    invoice_id as parent_id
from (
    select
        items.* exclude (started_at),
        billed.quantity,
        billed.amount,
        'il_' || left(md5('l' || c || '-' || k || '-' || invoice), 24) as line_id,
        invoice_id_of(c, invoice) as invoice_id,
        seconds_of(billed.period_start) as period_start,
        seconds_of(billed.period_end) as period_end,
        null::bigint as created
    from billed
    inner join items using (c, k)
);

insert into raw_stripe.meter_usage_period_revisions
select
    getvariable('account'),
    items.meter_id,
    items.customer_id,
    periods.period_start,
    least(periods.period_end, getvariable('until') + 1),
    case when periods.is_closed then 'period' else 'so_far' end,
    periods.quantity,
    getvariable('landed_at')
from periods
inner join items using (c, k);

-- of a day that is read again only what has changed since
insert into raw_stripe.meter_usage_revisions
select
    getvariable('account'),
    meter_id,
    customer_id,
    day,
    day + 1,
    quantity,
    getvariable('landed_at')
from days_used(getvariable('since') - 3, getvariable('until'))
where
    day > getvariable('since')
    or quantity != used(c, k, day, getvariable('since'));

insert into raw_stripe.load_report
select
    getvariable('account'),
    'run_' || getvariable('until'),
    kind,
    meter_id,
    'first', 1, 1, 1, 0, 0,
    case when meter_id is not null then getvariable('until') + 1 end,
    getvariable('landed_at'), getvariable('landed_at'), getvariable('landed_at'),
    getvariable('landed_at'), getvariable('landed_at'),
    false
from (
    select 'accounts' as kind, null as meter_id
    union all
    select 'meter_usage', meter_id from plans where currency = 'usd' and k > 0
);
