{# The one place that says how long a customer is expected to stay, and what that is worth. A month is 365 / 12 days. #}
{% set bounds = ('low', 'mid', 'high') %}
with

margins as (select * from {{ ref('int_customer_margins') }}),
risks as (select * from {{ ref('churn_risk') }} where is_current and horizon_days = {{ churn_horizon_days() }}),
subscriptions as (select * from {{ ref('int_subscriptions') }} where ended_at is null and has_lived),
ends as (select * from {{ ref('int_subscription_ends') }}),
as_of as (select * from {{ ref('int_as_of') }}),
rules as ({{ price_rules() }}),

base_rates as (

    select
        account_id,
        max(base_rate) as base_rate,
        max(horizon_days) as horizon_days
    from risks
    group by account_id

),

-- a booked end counts when every subscription in the currency has one
booked as (

    select
        subscriptions.account_id,
        subscriptions.customer_id,
        subscriptions.currency,
        max(ends.ends_at) as ends_at
    from subscriptions
    left join ends
        on {{ same_keys('subscriptions', 'ends', ['account_id', 'subscription_id']) }}
    group by subscriptions.account_id, subscriptions.customer_id, subscriptions.currency
    having count(ends.ends_at) = count(*)

),

chances as (

    select
        margins.*,
        as_of.as_of,
        booked.ends_at,
        rules.lifetime_cap_months,
        case
            when booked.ends_at is not null then 'booked_end'
            when risks.customer_id is not null and risks.treatment != 'leaving' then 'churn_risk'
            when base_rates.base_rate is not null then 'base_rate'
            else 'none'
        end as churn_source,
        -- the band that chances like this one came true in, and the chance itself
        {% for bound, chance in {
            'low': 'least(risks.probability, risks.band_observed_low)',
            'mid': 'risks.probability',
            'high': 'greatest(risks.probability, risks.band_observed_high)',
        }.items() -%}
            case when risks.treatment != 'leaving' then {{ chance }} else base_rates.base_rate end
                as probability_{{ bound }},
        {% endfor -%}
        coalesce(risks.horizon_days, base_rates.horizon_days, 1) as days
    from margins
    inner join as_of
        on margins.account_id = as_of.account_id
    cross join rules
    left join risks
        on {{ same_keys('margins', 'risks', ['account_id', 'customer_id']) }}
    left join base_rates
        on margins.account_id = base_rates.account_id
    left join booked
        on {{ same_keys('margins', 'booked', ['account_id', 'customer_id', 'currency']) }}

),

monthly as (

    select
        *,
        {% for bound in bounds -%}
            1 - {{ survival('probability_' ~ bound, 'days', '30.4166667') }} as monthly_churn_{{ bound }},
        {% endfor -%}
        {{ share_of(days_from('as_of', 'cast(ends_at as date)'), '30.4166667', 'double') }} as months_left
    from chances

),

expected as (

    select
        *,
        {% for bound, churn in {'low': 'high', 'mid': 'mid', 'high': 'low'}.items() -%}
            case churn_source
                when 'booked_end' then cast(least(greatest(months_left, 0), lifetime_cap_months) as decimal(9, 2))
                when 'none' then null
                else cast({{ months_stayed('monthly_churn_' ~ churn, 'lifetime_cap_months') }} as decimal(9, 2))
            end as expected_months_{{ bound }},
        {% endfor -%}
        monthly_revenue_minor - monthly_cost_minor as monthly_margin_minor
    from monthly

)

select
    {{ columns_of('expected', ['account_id', 'customer_id', 'currency', 'as_of']) }},
    monthly_revenue_minor,
    monthly_cost_minor,
    monthly_margin_minor,
    churn_source,
    case when churn_source in ('churn_risk', 'base_rate') then cast(monthly_churn_mid as decimal(12, 9)) end
        as monthly_churn,
    {% for bound in bounds -%}
        expected_months_{{ bound }},
    {% endfor -%}
    lifetime_cap_months,
    {% for bound in ('low', 'high') -%}
        {{ worth('monthly_margin_minor', 'expected_months_' ~ bound, '1') }} as ltv_{{ bound }}_minor,
    {% endfor -%}
    {{ worth('monthly_margin_minor', 'expected_months_mid', '1') }} as ltv_minor
from expected
