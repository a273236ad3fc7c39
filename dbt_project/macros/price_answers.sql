{# How customers answer a price, and whom a contract spares. #}

{# A select: low, mid and high of the seed elasticity_assumptions for each meter and segment ('' where a customer has
   none), of one response, usage or churn (for churn the meter is ''). The row that says most about them counts. #}
{% macro elasticities(response) %}

    select
        meter_event_name,
        segment,
        low,
        mid,
        high
    from (
        select
            wanted.meter_event_name,
            wanted.segment,
            given.low,
            given.mid,
            given.high,
            row_number() over (
                partition by wanted.meter_event_name, wanted.segment
                order by given.meter_event_name is null, given.segment is null, given.low, given.mid, given.high
            ) as place
        from (
            select distinct
                {{ "''" if response == 'churn' else 'meters.meter_event_name' }} as meter_event_name,
                coalesce(customers.segment, '') as segment
            from {{ ref('dim_customers') }} as customers
            {%- if response != 'churn' %}
                cross join {{ ref('stg_stripe__meters') }} as meters
            {%- endif %}
        ) as wanted
        inner join (
            select
                nullif(trim(meter_event_name), '') as meter_event_name,
                nullif(trim(segment), '') as segment,
                {{ cast_or_null('trim(low)', 'decimal(9, 6)') }} as low,
                {{ cast_or_null('trim(mid)', 'decimal(9, 6)') }} as mid,
                {{ cast_or_null('trim(high)', 'decimal(9, 6)') }} as high
            from {{ ref('elasticity_assumptions') }}
            where trim(response) = '{{ response }}'
        ) as given
            on
                coalesce(wanted.meter_event_name = given.meter_event_name, true)
                and coalesce(wanted.segment = given.segment, true)
        where given.low <= given.mid and given.mid <= given.high
    ) as ranked
    where place = 1

{% endmacro %}

{# A quantity after usage has answered: times (new / old marginal price, kept within a tenth and ten times)^elasticity. #}
{% macro answered_quantity(quantity, new_price, old_price, elasticity) -%}
    {{ cast_or_null(
        'cast(' ~ quantity ~ ' as decimal(38, 6)) * cast(coalesce(power(least(greatest(' ~ share_of(new_price, old_price, 'double') ~ ', 0.1), 10), '
        ~ elasticity ~ '), 1) as decimal(12, 9))',
        'decimal(18, 6)'
    ) }}
{%- endmacro %}

{# The monthly chance of leaving after a bill has changed: its odds times (after / before, kept within 0.25 and 4)^k. #}
{% macro answered_churn(monthly_churn, after_minor, before_minor, k) -%}
    {%- set times = 'power(least(greatest(' ~ share_of(after_minor, before_minor, 'double') ~ ', 0.25), 4), ' ~ k ~ ')' -%}
    cast({{ share_of(
        'cast(' ~ monthly_churn ~ ' as ' ~ double_type() ~ ') * ' ~ times,
        '1 - ' ~ monthly_churn ~ ' + cast(' ~ monthly_churn ~ ' as ' ~ double_type() ~ ') * ' ~ times, 'double'
    ) }} as decimal(12, 9))
{%- endmacro %}

{# A select: until when the prices of a subscription are held, by the seed contract_locks or a booked schedule. #}
{% macro price_locks() %}

    select
        account_id,
        subscription_id,
        max(locked_until) as locked_until
    from (
        select
            subscriptions.account_id,
            subscriptions.subscription_id,
            coalesce({{ cast_or_null('trim(contracts.locked_until)', 'date') }}, date '9999-12-31') as locked_until
        from {{ ref('int_subscriptions') }} as subscriptions
        inner join {{ ref('contract_locks') }} as contracts
            on
                coalesce(subscriptions.customer_id = nullif(trim(contracts.customer_id), ''), true)
                and coalesce(subscriptions.subscription_id = nullif(trim(contracts.subscription_id), ''), true)
                and coalesce(nullif(trim(contracts.customer_id), ''), nullif(trim(contracts.subscription_id), '')) is not null
        union all
        select
            schedules.account_id,
            schedules.subscription_id,
            cast({{ end_of_phases('schedules.phases') }} as date) as locked_until
        from {{ ref('stg_stripe__subscription_schedules') }} as schedules
        inner join {{ ref('int_as_of') }} as as_of
            on
                schedules.account_id = as_of.account_id
                and schedules.created_at < as_of.known_until
        where
            schedules.status in ('active', 'not_started')
            and not schedules.is_deleted
    ) as held
    where locked_until is not null
    group by
        account_id,
        subscription_id

{% endmacro %}

{# Whether a quantity lies in a tier. #}
{% macro is_in_tier(quantity, tiers) -%}
    ({{ quantity }} > {{ tiers }}.lower_bound or {{ tiers }}.tier_index = 1)
    and coalesce({{ quantity }} <= {{ tiers }}.upper_bound, true)
{%- endmacro %}
