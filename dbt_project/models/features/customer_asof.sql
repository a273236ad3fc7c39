{# Where little is used at the same time every year, usage says nothing against its own mean: it is held against the
   year before. And what the middle one of many customers lost too is nobody's own fall: a season, a holiday. #}
{% set usage = ('usage_ratio_7_28', 'usage_ratio_28_91', 'usage_mean_28', 'zero_share_28', 'days_since_last_usage') %}
{% set left = ('usage_left_28', 'usage_left_91') %}
{% set most_overage, many = 4, 20 %}

with

customer_days as (select * from {{ ref('int_customer_days') }}),
customers as (select * from {{ ref('stg_stripe__customers') }}),
states as (select * from {{ ref('int_customer_states_asof') }}),
customer_usage as (select * from {{ ref('int_customer_usage_asof') }}),
payments as (select * from {{ ref('int_customer_payments_asof') }}),
plans as (select * from {{ ref('int_customer_plans_asof') }}),
bills as (select * from {{ ref('int_customer_bills_asof') }}),
credits as (select * from {{ ref('int_customer_credits_asof') }}),
mrr as (select * from {{ ref('fct_mrr_monthly') }}),

common as (

    select
        account_id,
        as_of_date,
        {% for name in left -%}
            {{ median_of(name) }} as {{ name }},
        {% endfor -%}
        count(*) as customers
    from customer_usage
    group by account_id, as_of_date

),

assembled as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        customer_days.is_scoring,
        customer_days.is_backfilled,
        case
            when states.is_leaving then 'leaving'
            when states.is_paused then 'paused'
            when states.is_trialing then 'trialing'
            when payments.days_past_due is not null then 'past_due'
            when customer_usage.is_seasonal then 'seasonal'
            else 'active'
        end as state,
        coalesce(customers.segment, 'none') as segment,
        cast(
            {{ days_from('customer_days.first_subscribed_on', 'customer_days.as_of_date') }} as {{ double_type() }}
        ) as tenure_days,
        {% for name in usage -%}
            cast(case when not customer_usage.is_seasonal then customer_usage.{{ name }} end as {{ double_type() }})
                as {{ name }},
        {% endfor -%}
        {% for name in left -%}
            cast(case
                when customer_usage.is_seasonal then coalesce(customer_usage.usage_left_364, 1)
                when customer_usage.{{ name }} >= common.{{ name }} and common.customers >= {{ many }} then 1
                when common.{{ name }} > 0 and common.customers >= {{ many }}
                    then {{ share_of('customer_usage.' ~ name, 'common.' ~ name, 'double') }}
                else customer_usage.{{ name }}
            end as {{ double_type() }}) as {{ name }},
        {% endfor -%}
        cast(customer_usage.usage_year_ago as {{ double_type() }}) as usage_year_ago,
        customer_usage.quota_share_last,
        cast(coalesce(payments.failed_payments_90d, 0) as {{ double_type() }}) as failed_payments_90d,
        cast(coalesce(payments.open_invoices, 0) as {{ double_type() }}) as open_invoices,
        cast(coalesce(payments.days_past_due, 0) as {{ double_type() }}) as days_past_due,
        cast(coalesce(mrr.mrr_minor, 0) as {{ double_type() }}) as mrr_minor,
        {{ share_of(
            'mrr.mrr_minor - mrr_before.mrr_minor', 'mrr_before.mrr_minor', 'double'
        ) }} as mrr_change_90d_share,
        case
            when mrr.metered_mrr_minor > {{ most_overage }} * mrr.committed_mrr_minor
                then cast({{ most_overage }} as {{ double_type() }})
            else {{ share_of('mrr.metered_mrr_minor', 'mrr.committed_mrr_minor', 'double') }}
        end as overage_share,
        -- a higher plan is the customer's own choice
        case
            when plans.months_since_upgrade <= 3 then cast(1 as {{ double_type() }})
            else coalesce(bills.bill_change_ratio, 1)
        end as bill_change_ratio,
        {% for name, said in {
            'credited_90d': 'credits.customer_id is not null',
            'is_past_due': 'payments.days_past_due is not null',
            'is_paused': 'states.is_paused',
            'is_trialing': 'states.is_trialing',
            'has_discount': 'plans.has_discount',
        }.items() -%}
            cast(case when {{ said }} then 1 else 0 end as {{ double_type() }}) as {{ name }},
        {% endfor -%}
        cast(plans.seats as {{ double_type() }}) as seats,
        cast(plans.plan_rank as {{ double_type() }}) as plan_rank,
        cast(plans.months_since_upgrade as {{ double_type() }}) as months_since_upgrade
    from customer_days
    inner join states
        on {{ same_keys('customer_days', 'states', ['account_id', 'customer_id', 'as_of_date']) }}
    inner join plans
        on {{ same_keys('customer_days', 'plans', ['account_id', 'customer_id', 'as_of_date']) }}
    left join common
        on {{ same_keys('customer_days', 'common', ['account_id', 'as_of_date']) }}
    {% for relation in ('customer_usage', 'payments', 'bills', 'credits') -%}
        left join {{ relation }}
            on {{ same_keys('customer_days', relation, ['account_id', 'customer_id', 'as_of_date']) }}
    {% endfor -%}
    left join customers
        on {{ same_keys('customer_days', 'customers', ['account_id', 'customer_id']) }}
    left join mrr
        on {{ same_keys('customer_days', 'mrr', ['account_id', 'customer_id', 'currency', 'month_start']) }}
    -- three month ends back, the nearest that MRR is valued at to 90 days
    left join mrr as mrr_before
        on
            {{ same_keys('customer_days', 'mrr_before', ['account_id', 'customer_id', 'currency']) }}
            and mrr_before.month_start = {{ add_months('customer_days.month_start', -3) }}

)

select * from assembled
