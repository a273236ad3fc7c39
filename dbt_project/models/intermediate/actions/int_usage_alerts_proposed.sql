{# The alert of each item, in the shape that all proposals share. Keys of JSON stand in alphabetical order and
   numbers are integers or decimal text: that is canonical JSON. Expected value: of the revenue at risk the share
   that a warning is assumed to keep. #}
with

chances as (select * from {{ ref('int_usage_alerts_found') }}),
customers as (select * from {{ ref('dim_customers') }}),
staged as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
months as (select * from {{ ref('fct_mrr_monthly') }}),
risks as (select * from {{ ref('churn_risk') }} where is_current and horizon_days = {{ churn_horizon_days() }}),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'usage_alert'),

in_words as (

    select
        chances.*,
        staged.livemode,
        {{ safe_name('customers.name', 'chances.customer_id') }} as customer,
        {{ safe_name('meters.meter_name', 'chances.meter_id') }} as meter,
        {{ quantity_to_text('chances.included_units') }} as included,
        {{ quantity_to_text('chances.counted_quantity') }} as level_quantity_words,
        {% for name in ['level', 'last', 'remaining'] -%}
            {{ money_to_text('chances.' ~ name ~ '_minor', 'chances.currency', 'currencies.minor_unit_exponent') }}
                as {{ name }}_amount,
        {% endfor -%}
        cast(coalesce(risks.probability, risks.base_rate, 0) as decimal(9, 6)) as probability,
        coalesce(months.mrr_minor, 0) * {{ value_months('kinds.value_months') }} as kept_minor,
        kinds.effect_low,
        kinds.effect,
        kinds.effect_high

    from chances
    inner join kinds
        on chances.kind = kinds.kind
    -- Stripe bills a customer in one currency
    inner join staged
        on {{ same_keys('chances', 'staged', ['account_id', 'customer_id', 'currency']) }}
    inner join customers
        on {{ same_keys('chances', 'customers', ['account_id', 'customer_id']) }}
    inner join currencies
        on chances.currency = currencies.currency
    left join meters
        on {{ same_keys('chances', 'meters', ['account_id', 'meter_id']) }}
    left join risks
        on {{ same_keys('chances', 'risks', ['account_id', 'customer_id']) }}
    left join months
        on
            {{ same_keys('chances', 'months', ['account_id', 'customer_id', 'currency']) }}
            and months.month_start = date_trunc('month', chances.as_of)

),

{% set slots = {
    'included': 'found.included',
    'last_amount': 'found.last_amount',
    'level_amount': 'found.level_amount',
    'level_quantity': 'found.level_quantity_words',
    'remaining': 'found.remaining_amount',
} -%}
proposed as (

    select
        found.account_id,
        found.kind,
        found.as_of,
        found.customer_id,
        found.subscription_id,
        cast(null as {{ text_type() }}) as source_event_id,
        found.subscription_item_id as subject_id,
        found.level as target_key,
        {{ date_text('found.period_start') }} as period,
        found.currency,
        cast(0 as bigint) as amount_minor,
        cast(0 as decimal(18, 6)) as pct_change,
        cast(0 as bigint) as monthly_change_minor,
        {{ alert_params('found') }} as params,
        {{ as_json_text({
            'currency': 'found.currency', 'customer': 'found.customer_id', 'livemode': 'found.livemode',
            'meter': 'found.meter_id',
        }) }} as precondition,
        {{ alert_evidence('found') }} as evidence,
        found.kind as template,
        {{ as_json_text({
            'chance': share_to_text('found.chance'),
            'customer': 'found.customer',
            'date': date_text('found.passes_on'),
            'gte': quantity_to_text('found.gte'),
            'level': fill_template('levels.body', slots),
            'meter': 'found.meter',
            'notice': fill_template('notices.body', slots),
            'period_end': date_text('found.period_end'),
            'period_start': date_text('found.period_start'),
            'used': quantity_to_text('found.quantity_so_far'),
        }) }} as words,
        found.model_version,
        {% for end in ['', '_low', '_high'] -%}
            cast(round(cast(round(found.kept_minor * found.probability) as bigint) * found.effect{{ end }}) as bigint)
                as expected_value{{ end }}_minor,
        {% endfor -%}
        cast(found.chance as {{ double_type() }}) as confidence,
        cast(found.chance as {{ double_type() }}) as urgency

    from in_words as found
    inner join templates as levels
        on levels.kind = 'usage_alert_' || found.level
    inner join templates as notices
        on notices.kind = 'usage_alert_notice_' || found.level

)

select * from proposed
