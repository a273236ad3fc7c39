{{ config(post_hook="{{ keep_as_said('invoice_forecast_said') }}") }}
{% set key = ['account_id', 'subscription_id', 'period_end'] %}
with

expected as (select * from {{ ref('int_invoices_expected') }}),
texts as (select * from {{ ref('int_invoices_said') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),
invoices as (select * from {{ ref('int_invoices') }}),

previous as (

    select
        account_id,
        subscription_id,
        {{ latest_by('total_minor - coalesce(tax_minor, 0)', ['finalized_at', 'invoice_id']) }}
            as previous_invoice_minor
    from invoices
    where
        finalized_at is not null
        and voided_at is null
        and subscription_id is not null
    group by account_id, subscription_id

),

joined as (

    select
        expected.*,
        subscriptions.plan,
        previous.previous_invoice_minor,
        texts.said,
        expected.finding = 'ok' as is_ok,
        case
            when expected.finding = 'too_new' then 'too_early'
            when expected.finding in ('no_paths', 'no_price') then 'no_forecast'
            else expected.finding
        end as status
    from expected
    inner join texts
        on {{ same_keys('expected', 'texts', key) }}
    left join subscriptions
        on {{ same_keys('expected', 'subscriptions', ['account_id', 'subscription_id']) }}
    left join previous
        on {{ same_keys('expected', 'previous', ['account_id', 'subscription_id']) }}

)

select
    -- ids and times
    account_id,
    subscription_id,
    customer_id,
    plan,
    currency,
    as_of,
    period_start,
    period_end,
    days_elapsed,
    days_in_period,

    -- what can be said
    status,
    said,
    is_last,
    is_collected,

    -- the parts, by the mean over paths, and their sum
    fees_minor,
    pending_minor,
    case when is_ok then usage_minor end as usage_minor,
    case when is_ok then discounts_minor end as discounts_minor,
    case when is_ok then credits_minor end as credits_minor,
    case when is_ok then balance_minor end as balance_minor,
    case
        when is_ok
            then fees_minor + pending_minor + usage_minor + discounts_minor + credits_minor + balance_minor
    end as total_minor,

    -- bands
    {% for of in ['usage', 'total'] -%}
        {% for bound in band_columns() -%}
            case when is_ok then {{ bound }}_{{ of }}_minor end as {{ of }}_{{ bound }}_minor,
        {% endfor -%}
    {% endfor %}

    -- beside them
    so_far_usage_minor as usage_so_far_minor,
    run_rate_usage_minor,
    run_rate_total_minor,
    previous_invoice_minor,

    -- where it comes from
    case when is_ok then method end as method,
    case when is_ok then model_version end as model_version
from joined
