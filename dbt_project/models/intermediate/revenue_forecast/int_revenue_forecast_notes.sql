{# What people wrote beside their overrides, per level and month that each names. #}
with

parts as (select * from {{ ref('int_revenue_forecast_parts') }}),
overrides as (select * from {{ ref('int_forecast_overrides') }} where problem is null),

noted as (

    select distinct
        parts.account_id,
        parts.plan,
        parts.currency,
        parts.month_start,
        overrides.override_number,
        coalesce(overrides.note, replace(overrides.kind, '_', ' ')) as note
    from parts
    inner join overrides
        on
            parts.account_id = overrides.account_id
            and coalesce(parts.customer_id = overrides.customer_id, overrides.customer_id is null)
            and coalesce(parts.plan = overrides.plan, true)
            and coalesce(parts.currency = overrides.currency, true)
            -- an amount stands under one plan
            and (overrides.amount_minor is null or parts.plan = overrides.amount_plan)
            and {{ is_in_override('parts.month_start', 'overrides') }}

),

levelled as (

    select
        account_id,
        'plan' as level,
        plan,
        currency,
        month_start,
        override_number,
        note
    from noted
    union distinct
    select
        account_id,
        'currency' as level,
        'all' as plan,
        currency,
        month_start,
        override_number,
        note
    from noted
    union distinct
    select
        account_id,
        'company' as level,
        'all' as plan,
        '{{ reporting_currency() }}' as currency,
        month_start,
        override_number,
        note
    from noted

)

select
    account_id,
    level,
    plan,
    currency,
    month_start,
    {{ texts_joined('note', '; ', 'override_number') }} as annotations
from levelled
group by
    account_id,
    level,
    plan,
    currency,
    month_start
