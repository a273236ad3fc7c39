{# Each variant against the control by assignment, whoever was moved (intention to treat). Usage and bills: analysis of
   covariance of logarithms, after on before with one slope (Fisher 1932), bands by Student's t. Leaving, and bills up by
   half or more: differences of shares with Newcombe's bands (1998, method 10). Effects are logarithms, or shares. #}
{% set key = ['account_id', 'experiment_id', 'variant', 'is_control', 'metric'] %}
{% set dbl = double_type() %}
with

measures as (select * from {{ ref('int_price_experiment_measures') }}),

logs as (

    select
        {{ columns_of('measures', key[:-1]) }},
        'usage' as metric,
        log_usage_before as x,
        log_usage_after as y
    from measures
    where log_usage_before is not null and log_usage_after is not null
    union all
    select
        {{ columns_of('measures', key[:-1]) }},
        'revenue' as metric,
        log_revenue_before as x,
        log_revenue_after as y
    from measures
    where log_revenue_before is not null and log_revenue_after is not null

),

arms as (

    select
        {{ columns_of('logs', key) }},
        count(*) as n,
        {{ share_of('sum(x)', 'count(*)', 'double') }} as mean_x,
        {{ share_of('sum(y)', 'count(*)', 'double') }} as mean_y,
        {{ centred('x', 'x') }} as xx,
        {{ centred('x', 'y') }} as xy,
        {{ centred('y', 'y') }} as yy
    from logs
    group by {{ columns_of('logs', key) }}

),

fitted as (

    select
        treated.account_id,
        treated.experiment_id,
        treated.variant,
        treated.metric,
        treated.n as variant_n,
        controls.n as control_n,
        treated.mean_x - controls.mean_x as x_apart,
        treated.mean_y - controls.mean_y as y_apart,
        treated.xx + controls.xx as xx,
        {{ share_of('treated.xy + controls.xy', 'treated.xx + controls.xx', 'double') }} as slope,
        treated.xy + controls.xy as xy,
        treated.yy + controls.yy as yy,
        cast(treated.n + controls.n - 3 as {{ dbl }}) as df
    from arms as treated
    inner join arms as controls
        on {{ same_keys('treated', 'controls', ['account_id', 'experiment_id', 'metric']) }}
    where not treated.is_control and controls.is_control and treated.n >= 5 and controls.n >= 5

),

log_effects as (

    select
        *,
        y_apart - slope * x_apart as effect,
        {{ error_of_adjusted('yy - slope * xy', 'df', 'variant_n', 'control_n', 'x_apart', 'xx') }} as error
    from fitted

)

select
    account_id,
    experiment_id,
    variant,
    metric,
    variant_n,
    control_n,
    effect,
    {% for level in ['80', '95'] -%}
        effect - ({{ student_quantile(level, 'df') }}) * error as low_{{ level }},
        effect + ({{ student_quantile(level, 'df') }}) * error as high_{{ level }},
    {% endfor -%}
    cast(null as {{ dbl }}) as variant_share,
    cast(null as {{ dbl }}) as control_share
from log_effects
union all
select *
from ({{ share_effects('measures', {'churn': 'churned_on is not null', 'bill_shock': 'is_shocked'}) }}) as share_effects
