{# What stands today, and what earlier runs said and stands no more; an alert keeps its first day over every rebuild,
   because each run keeps what it said in a file. #}
{{ config(post_hook="{{ keep_as_said('alerts_said', \"state = 'open'\") }}") }}
{% set words = [
    'kind', 'severity', 'owner', 'title', 'body', 'customer_id', 'subscription_item_id', 'meter_id', 'model_name',
] %}
with

found as (select * from {{ ref('int_alerts_found') }}),
said as (select * from {{ ref('stg_ml__alerts_said') }}),
current_days as (select * from {{ ref('int_as_of') }}),
acknowledgements as (select * from {{ ref('alert_acknowledgements') }}),

-- what an earlier run of today said counts only if it still stands; a replay does not know what was said later
before as (

    select
        said.*,
        min(said.as_of) over (partition by said.account_id, said.dedupe_key) as first_seen_on,
        row_number() over (partition by said.account_id, said.dedupe_key order by said.as_of desc) as place
    from said
    inner join current_days
        on
            said.account_id = current_days.account_id
            and said.as_of < current_days.as_of

),

together as (

    select
        found.account_id,
        found.dedupe_key,
        'open' as state,
        coalesce(before.first_seen_on, current_days.as_of) as first_seen_on,
        current_days.as_of as last_seen_on,
        current_days.as_of,
        {{ columns_of('found', words) }}
    from found
    inner join current_days
        on found.account_id = current_days.account_id
    left join before
        on
            {{ same_keys('found', 'before', ['account_id', 'dedupe_key']) }}
            and before.place = 1
    union all
    select
        before.account_id,
        before.dedupe_key,
        'closed' as state,
        before.first_seen_on,
        before.as_of as last_seen_on,
        current_days.as_of,
        {{ columns_of('before', words) }}
    from before
    inner join current_days
        on before.account_id = current_days.account_id
    left join found
        on {{ same_keys('before', 'found', ['account_id', 'dedupe_key']) }}
    where
        before.place = 1
        and found.dedupe_key is null

),

acknowledged as (

    select distinct
        together.account_id,
        together.dedupe_key
    from together
    inner join acknowledgements
        on
            together.dedupe_key = acknowledgements.dedupe_key
            and together.last_seen_on >= acknowledgements.acknowledged_on
            and coalesce(together.as_of <= acknowledgements.until, true)

)

select
    together.account_id,
    together.dedupe_key,
    together.kind,
    together.severity,
    together.owner,
    together.state,
    together.title,
    together.body,
    together.first_seen_on,
    together.last_seen_on,
    acknowledged.dedupe_key is not null as is_acknowledged,
    together.customer_id,
    together.subscription_item_id,
    together.meter_id,
    together.model_name,
    together.as_of
from together
left join acknowledged
    on {{ same_keys('together', 'acknowledged', ['account_id', 'dedupe_key']) }}
