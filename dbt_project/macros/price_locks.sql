{# Whether a row of contract_locks names a subscription: by itself, by its customer, or by both. #}
{% macro holds_prices_of(contracts, subscriptions) -%}
    coalesce({{ subscriptions }}.customer_id = nullif(trim({{ contracts }}.customer_id), ''), true)
    and coalesce({{ subscriptions }}.subscription_id = nullif(trim({{ contracts }}.subscription_id), ''), true)
    and coalesce(nullif(trim({{ contracts }}.customer_id), ''), nullif(trim({{ contracts }}.subscription_id), '')) is not null
{%- endmacro %}

{# The day on which such a row ends; one without a day holds for good. #}
{% macro held_until(contracts) -%}
    coalesce({{ cast_or_null('trim(' ~ contracts ~ '.locked_until)', 'date') }}, date '9999-12-31')
{%- endmacro %}

{# A select: subscriptions of a relation (of customers and subscriptions, as of a day) that a row of contract_locks holds. #}
{% macro locked_subscriptions(held, contracts) %}
    select distinct
        {{ held }}.account_id,
        {{ held }}.subscription_id
    from {{ held }}
    inner join {{ contracts }}
        on
            {{ holds_prices_of(contracts, held) }}
            and {{ held }}.as_of < {{ held_until(contracts) }}
{% endmacro %}

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
            {{ held_until('contracts') }} as locked_until
        from {{ ref('int_subscriptions') }} as subscriptions
        inner join {{ ref('contract_locks') }} as contracts
            on {{ holds_prices_of('contracts', 'subscriptions') }}
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
