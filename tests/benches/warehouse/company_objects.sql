-- Objects as a load leaves them in the raw tables.
-- payload_of(a kind) stands for the text of an object of objects.json, whose {columns} are those of the select.

set variable landed_at = getvariable('until') + 1 + interval 6 hour;

create or replace temp macro object_row(id, created, payload) as {
    'account_id': getvariable('account'),
    'id': id,
    'version_hash': md5(id || getvariable('landed_at')),
    'created': created,
    'payload': payload,
    'is_deleted': false,
    'livemode': false,
    'loaded_at': getvariable('landed_at')
};

insert into raw_stripe.accounts
select unnest(object_row(account_id, 1730419200, payload_of('account')))
from (select getvariable('account') as account_id)
where getvariable('is_first');

insert into raw_stripe.products
select unnest(object_row(product_id, 1730419200, payload_of('product')))
from (select *, event_name as product_name from plans where currency = 'usd')
where getvariable('is_first');

insert into raw_stripe.meters
select unnest(object_row(meter_id, 1730419200, payload_of('meter')))
from plans
where currency = 'usd' and k > 0 and getvariable('is_first');

insert into raw_stripe.prices
select unnest(object_row(price_id, 1730419200, payload_of('price')))
from plans
where getvariable('is_first');

insert into raw_stripe.customers
select unnest(object_row(customer_id, started, payload_of('customer')))
from (select *, c as number, seconds_of(started_at) as started from companies)
where getvariable('is_first');

-- a subscription and its items change when a period begins, or when it ends
create or replace temp table changed as
select
    *,
    seconds_of(started_at) as started,
    case when ended_at <= getvariable('until') + 1 then seconds_of(ended_at) end as ended,
    case when ended is null then 'active' else 'canceled' end as status,
    seconds_of(started_at + to_months(current_period)) as period_start,
    seconds_of(started_at + to_months(current_period + 1)) as period_end,
    case when k = 0 then 1 end as quantity
from items
where
    getvariable('is_first')
    or started_at + to_months(current_period) > getvariable('since') + 1
    or (ended_at > getvariable('since') + 1 and ended_at <= getvariable('until') + 1);

insert into raw_stripe.subscriptions
select unnest(object_row(subscription_id, started, payload_of('subscription')))
from (select *, invoice_id_of(c, current_period) as invoice_id from changed where k = 0);

insert into raw_stripe.subscription_items
select
    unnest(object_row(item_id, started, payload_of('subscription_item'))),
    subscription_id as parent_id
from changed;
