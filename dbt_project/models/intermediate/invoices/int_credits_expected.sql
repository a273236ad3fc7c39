{# The same over all paths. One that does not use a credit up within the forecast counts as later than all that do. #}
{% set never = "date '9999-12-31'" %}
with

grants as (select * from {{ ref('int_credit_grants_live') }}),
draws as (select * from {{ ref('int_credit_draws_pathed') }}),
invoices as (select * from {{ ref('int_upcoming_invoices') }}),

spans as (

    select
        account_id,
        customer_id,
        currency,
        sum(case when metered_items > 0 then 1 else 0 end) as metered_invoices,
        {{ days_from('min(as_of)', 'cast(max(case when metered_items > 0 then period_end end) as date)') }} as days_seen
    from invoices
    group by account_id, customer_id, currency

),

summed as (

    select
        account_id,
        credit_grant_id,
        {{ mean_over_paths('running_draw_minor') }} as running_draw_minor,
        {{ mean_over_paths('draw_minor') }} as draw_minor,
        {{ quantile_of("coalesce(depleted_on, " ~ never ~ ")", '0.1') }} as early_on,
        {{ quantile_of("coalesce(depleted_on, " ~ never ~ ")", '0.5') }} as middle_on,
        {{ quantile_of("coalesce(depleted_on, " ~ never ~ ")", '0.9') }} as late_on
    from draws
    group by account_id, credit_grant_id

)

select
    {{ columns_of('grants', [
        'account_id', 'credit_grant_id', 'customer_id', 'currency', 'category', 'priority', 'place', 'as_of',
        'granted_minor', 'remaining_minor', 'effective_at', 'expires_at',
    ]) }},
    {{ columns_of('summed', ['running_draw_minor', 'draw_minor']) }},
    {{ divide_half_up('summed.draw_minor', 'spans.days_seen') }} as draw_per_day_minor,
    {{ divide_half_up('summed.draw_minor', 'spans.metered_invoices') }} as draw_per_period_minor,
    case when summed.early_on < {{ never }} then summed.early_on end as depletes_early_on,
    case when summed.middle_on < {{ never }} then summed.middle_on end as depletes_on,
    case when summed.late_on < {{ never }} then summed.late_on end as depletes_late_on,
    case
        when summed.account_id is null then 'unknown'
        when summed.middle_on < {{ never }} then 'depletes'
        when grants.expires_at <= {{ end_of_day('grants.as_of + 90') }} then 'expires'
        else 'lasts'
    end as outlook
from grants
left join summed
    on {{ same_keys('grants', 'summed', ['account_id', 'credit_grant_id']) }}
left join spans
    on {{ same_keys('grants', 'spans', ['account_id', 'customer_id', 'currency']) }}
