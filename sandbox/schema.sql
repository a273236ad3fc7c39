-- The state file; store.py says what is in it.
create table object (
    seq integer primary key autoincrement, id text not null unique, kind text not null, created integer not null,
    status text, customer text, subscription text, invoice text, parent text, clock text,
    hidden integer not null, long integer not null, json text not null);
create index object_newest on object (kind, created, seq);
create index object_customer on object (customer, kind, created, seq) where customer is not null;
create index object_subscription on object (subscription, kind, created, seq) where subscription is not null;
create index object_invoice on object (invoice, kind, created, seq) where invoice is not null;
create index object_parent on object (parent, kind, created, seq) where parent is not null;
create table item (id text primary key, subscription text not null) without rowid;
create table series (id integer primary key, meter text not null, customer text not null, unique (meter, customer));
create table usage_event (
    series integer not null, at integer not null, identifier text not null, value integer not null,
    received integer not null, primary key (series, at, identifier)) without rowid;
create unique index usage_identifier on usage_event (identifier) where identifier != '';
create view usage as
    select meter, customer, at, identifier, value, received from series join usage_event on series.id = series;
create table task (
    seq integer primary key autoincrement, clock text not null, at integer not null, kind text not null,
    ref text not null);
create index task_next on task (clock, at, seq);
create index task_ref on task (ref);
create table delivery (
    seq integer primary key autoincrement, event text not null, endpoint text not null, at integer not null,
    attempt integer not null);
create table idempotency (
    key text primary key, fingerprint text not null, status integer not null, body blob not null,
    created integer not null, request text not null);
create index idempotency_created on idempotency (created);
create table meta (key text primary key, value text not null);
