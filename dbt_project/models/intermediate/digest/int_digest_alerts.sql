{# What stands open and nobody has acknowledged: how many of each kind, and the gravest ones; who may leave is counted
   here and named in a section of its own. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
current_days as (select * from {{ ref('int_as_of') }}),
alerts as (select * from {{ ref('alerts') }} where state = 'open'),
customers as (select * from {{ ref('dim_customers') }}),

ranked as (

    select
        alerts.*,
        -- the mart has ids only; whoever reads a run's end knows the names
        coalesce(replace(alerts.title, alerts.customer_id, customers.name), alerts.title) as title_by_name,
        coalesce(replace(alerts.body, alerts.customer_id, customers.name), alerts.body) as body_by_name,
        row_number() over (
            partition by alerts.account_id
            order by
                case when alerts.kind = 'churn' then 2 else 1 end asc,
                case alerts.severity when 'critical' then 1 when 'warning' then 2 else 3 end asc,
                -- what concerns all goes before what concerns one customer, and the newest goes first
                case when alerts.customer_id is null then 1 else 2 end asc,
                alerts.first_seen_on desc,
                alerts.dedupe_key asc
        ) as place
    from alerts
    left join customers
        on {{ same_keys('alerts', 'customers', ['account_id', 'customer_id']) }}
    where not alerts.is_acknowledged

),

kinds as (

    select
        account_id,
        kind,
        count(*) as alerts
    from ranked
    group by account_id, kind

),

named as (

    select
        account_id,
        sum(alerts) as alerts,
        {{ texts_joined("replace(kind, '_', ' ') || ' ' || " ~ quantity_to_text('alerts'), ', ', 'kind asc') }} as named
    from kinds
    group by account_id

),

acknowledged as (

    select
        account_id,
        count(*) as alerts
    from alerts
    where is_acknowledged
    group by account_id

),

filled as (

    select
        current_days.account_id,
        1 as line_number,
        cast(null as {{ text_type() }}) as customer_id,
        {{ fill_template('templates.body', {
            'open': quantity_to_text('named.alerts'),
            'named': 'named.named',
            'acknowledged': quantity_to_text('coalesce(acknowledged.alerts, 0)'),
        }) }} as text
    from current_days
    left join named
        on current_days.account_id = named.account_id
    left join acknowledged
        on current_days.account_id = acknowledged.account_id
    inner join templates
        on templates.kind = case when named.alerts is null then 'digest_alerts_none' else 'digest_alerts' end
    union all
    select
        ranked.account_id,
        cast(ranked.place + 1 as integer) as line_number,
        ranked.customer_id,
        {{ fill_template('templates.body', {
            'title': safe_text('ranked.title_by_name'),
            'owner': safe_text("replace(ranked.owner, '_', ' ')"),
            'body': safe_text('ranked.body_by_name'),
        }) }} as text
    from ranked
    inner join templates
        on templates.kind = 'digest_alert'
    where ranked.place <= 2 and ranked.kind != 'churn'

)

select
    account_id,
    'alerts' as section,
    7 as section_number,
    line_number,
    customer_id,
    text
from filled
