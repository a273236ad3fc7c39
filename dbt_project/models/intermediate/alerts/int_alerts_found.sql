{# Everything that stands today in one shape, with its words. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
owners as (select * from {{ ref('alert_owners') }}),

together as (

    select
        account_id,
        template,
        kind,
        severity,
        dedupe_key,
        cast(null as {{ text_type() }}) as owner,
        cast(null as {{ text_type() }}) as customer_id,
        cast(null as {{ text_type() }}) as subscription_item_id,
        cast(null as {{ text_type() }}) as meter_id,
        model_name,
        what,
        place,
        value,
        bound,
        n,
        '' as days,
        '' as amount,
        detail
    from {{ ref('int_alerts_of_models') }}
    union all
    select
        account_id,
        template,
        kind,
        severity,
        dedupe_key,
        owner,
        customer_id,
        subscription_item_id,
        meter_id,
        cast(null as {{ text_type() }}) as model_name,
        what,
        place,
        value,
        bound,
        '' as n,
        days,
        amount,
        detail
    from {{ ref('int_alerts_of_customers') }}

)

{% set slots = {
    'what': safe_text('together.what'),
    'place': safe_text('together.place'),
    'customer_id': "coalesce(together.customer_id, '')",
    'value': 'together.value',
    'bound': 'together.bound',
    'n': 'together.n',
    'days': 'together.days',
    'amount': 'together.amount',
    'detail': 'together.detail',
} %}

select
    together.account_id,
    together.dedupe_key,
    together.kind,
    together.severity,
    coalesce(together.owner, owners.owner, 'nobody') as owner,
    {{ fill_template('templates.subject', slots) }} as title,
    {{ fill_template('templates.body', slots) }} as body,
    together.customer_id,
    together.subscription_item_id,
    together.meter_id,
    together.model_name
from together
inner join templates
    on together.template = templates.kind
left join owners
    on together.kind = owners.kind
