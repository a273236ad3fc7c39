{# The invoice of each running period: its parts, its bands, and whether anything can be said at all. Distances of the
   total's band are those of its usage, so that the factors learned on subscriptions' usage scale both. #}
{% set invoice = ['account_id', 'subscription_id', 'period_end'] %}
with

invoices as (select * from {{ ref('int_upcoming_invoices') }} where is_running),
items as (select * from {{ ref('int_upcoming_items') }} where is_running),
paths as (select * from {{ ref('int_upcoming_path_totals') }}),
periods as (select * from {{ ref('int_usage_paths_periods') }} where not is_backtest),
tiers as (select * from {{ ref('int_price_tiers') }}),
factors as (select * from {{ ref('int_band_factors') }} where level = 'subscription_amount'),

rateable as (
    select distinct
        account_id,
        price_id,
        currency
    from tiers
),

usage as (

    select
        {{ columns_of('items', invoice) }},
        sum(case when rateable.price_id is null then 1 else 0 end) as items_without_price,
        {{ sum_if_known(
            'case when not items.is_metered or items.is_trial then 0 else periods.rated_amount_minor end'
        ) }} as usage_minor,
        sum(coalesce(periods.paths, 0)) as paths,
        max(periods.method) as method,
        max(periods.model_version) as model_version
    from items
    left join periods
        on {{ same_keys('items', 'periods', ['account_id', 'subscription_item_id', 'period_start']) }}
    left join rateable
        on {{ same_keys('items', 'rateable', ['account_id', 'price_id', 'currency']) }}
    group by {{ columns_of('items', invoice) }}

),

totals as (

    select
        {{ invoice | join(', ') }},
        max(fees_minor) as fees_minor,
        max(pending_minor) as pending_minor,
        {{ mean_over_paths('discounts_minor') }} as discounts_minor,
        {{ mean_over_paths('credits_minor') }} as credits_minor,
        {{ mean_over_paths('balance_minor') }} as balance_minor,
        {{ path_columns('usage_minor', 'usage_minor', 'bigint') }},
        {{ path_columns('total_minor', 'total_minor', 'bigint') }}
    from paths
    group by {{ invoice | join(', ') }}

)

select
    {{ columns_of('invoices', invoice + [
        'customer_id', 'currency', 'as_of', 'period_start', 'days_elapsed', 'days_in_period', 'is_last', 'is_collected',
        'metered_items',
    ]) }},
    case
        when usage.items_without_price > 0 or totals.fees_minor is null then 'no_price'
        when invoices.metered_items = 0 then 'ok'
        when invoices.days_elapsed = 0 then 'too_early'
        when {{ days_from('invoices.newest_first_day', 'invoices.as_of + 1') }} < 7 then 'too_new'
        when totals.mean_usage_minor is null and invoices.days_ahead > 90 then 'beyond_horizon'
        when totals.mean_usage_minor is null and usage.paths > 0 then 'no_price'
        when totals.mean_usage_minor is null then 'no_paths'
        else 'ok'
    end as finding,
    usage.usage_minor,
    {{ columns_of('totals', [
        'fees_minor', 'pending_minor', 'discounts_minor', 'credits_minor', 'balance_minor', 'so_far_usage_minor',
        'run_rate_usage_minor', 'run_rate_total_minor',
    ]) }},
    {{ scaled_band('totals', 'factors', 'usage_minor', 'bigint') }},
    {{ scaled_band('totals', 'factors', 'total_minor', 'bigint') }},
    usage.method,
    usage.model_version
from invoices
inner join usage
    on {{ same_keys('invoices', 'usage', invoice) }}
inner join totals
    on {{ same_keys('invoices', 'totals', invoice) }}
left join factors
    on
        invoices.account_id = factors.account_id
        and invoices.as_of = factors.for_as_of
        and {{ elapsed_quarter('invoices.days_elapsed', 'invoices.days_in_period') }} = factors.quarter
