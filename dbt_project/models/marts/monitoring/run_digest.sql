with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
currencies as (select * from {{ ref('currencies') }}),
customers as (select * from {{ ref('dim_customers') }}),
-- who has cancelled already is no risk any more
risks as (
    select * from {{ ref('churn_risk') }}
    where
        is_current
        and horizon_days = {{ churn_horizon_days() }}
        and treatment != 'leaving'
),

top_risks as (

    select
        risks.account_id,
        'risk' as section,
        5 as section_number,
        cast(row_number() over (
            partition by risks.account_id order by risks.probability desc, risks.customer_id asc
        ) as integer) as line_number,
        risks.customer_id,
        {{ fill_template('templates.body', {
            'customer': safe_name('customers.name', 'risks.customer_id'),
            'customer_id': 'risks.customer_id',
            'probability': share_to_text('risks.probability'),
            'horizon_days': 'risks.horizon_days',
            'at_risk': money_to_text('risks.mrr_minor', 'risks.currency', 'currencies.minor_unit_exponent'),
            'reasons': 'risks.reasons',
        }) }} as text

    from risks
    inner join templates
        on templates.kind = 'digest_risk'
    inner join customers
        on risks.account_id = customers.account_id and risks.customer_id = customers.customer_id
    inner join currencies
        on risks.currency = currencies.currency

),

together as (

    select * from {{ ref('int_digest_rows') }}
    union all
    select * from {{ ref('int_digest_mrr') }}
    union all
    select
        account_id,
        'forecasts' as section,
        3 as section_number,
        line_number,
        cast(null as {{ text_type() }}) as customer_id,
        text
    from {{ ref('int_digest_forecasts') }}
    union all
    select
        account_id,
        'invoices' as section,
        4 as section_number,
        line_number,
        customer_id,
        text
    from {{ ref('int_digest_invoices') }}
    union all
    select * from {{ ref('int_digest_models') }}
    union all
    select * from {{ ref('int_digest_alerts') }}
    union all
    select * from top_risks where line_number = 1
    union all
    select * from {{ ref('int_digest_recommendations') }}
    union all
    select * from {{ ref('int_digest_effects') }}

)

select
    account_id,
    section_number,
    section,
    line_number,
    customer_id,
    text
from together
