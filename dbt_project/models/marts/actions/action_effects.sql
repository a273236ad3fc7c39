{# Means are compared by Welch's interval, shares by Newcombe's (1998, number 10). No interval from fewer than two on a
   side, nor where nothing varies. #}
{% set keys = ['account_id', 'kind', 'metric', 'horizon_days'] %}
with

arms as (select * from {{ ref('int_effects_counted') }}),
precisions as (select * from {{ ref('int_kind_precision') }} where judged_n > 0),

paired as (

    select
        treated.*,
        coalesce(held_back.n, 0) as held_back_n,
        case
            when coalesce(held_back.n, 0) >= {{ least_compared() }} then 'held_back'
            when matched.n > 0 then 'matched'
            when held_back.n > 0 then 'held_back'
            else 'none'
        end as comparison
    from arms as treated
    left join arms as held_back
        on
            {{ same_keys('treated', 'held_back', keys) }}
            and treated.month_start is not distinct from held_back.month_start
            and held_back.arm = 'held_back'
    left join arms as matched
        on
            {{ same_keys('treated', 'matched', keys) }}
            and treated.month_start is not distinct from matched.month_start
            and matched.arm = 'matched'
    where treated.arm = 'carried_out' and treated.n > 0

),

compared as (

    select
        paired.*,
        coalesce(others.n, 0) as comparison_n,
        others.hits as comparison_hits,
        others.mean as comparison_mean,
        paired.mean - others.mean as difference,
        paired.metric in ('paid_share', 'churn_share') as is_share,
        {{ share_of('paired.variance', 'paired.n', 'double') }} as own_part,
        {{ share_of('others.variance', 'others.n', 'double') }} as other_part
    from paired
    left join arms as others
        on
            {{ same_keys('paired', 'others', keys) }}
            and paired.month_start is not distinct from others.month_start
            and paired.comparison = others.arm

),

freed as (

    select
        *,
        greatest(floor({{ share_of(
            '(own_part + other_part) * (own_part + other_part)',
            '(' ~ share_of('own_part * own_part', 'n - 1', 'double') ~ ' + '
            ~ share_of('other_part * other_part', 'comparison_n - 1', 'double') ~ ')',
            'double'
        ) }}), 1) as df
    from compared

),

bounded as (

    select
        *,
        {{ reach_of_difference('-', '80') }} as below_80,
        {{ reach_of_difference('+', '80') }} as above_80,
        {{ reach_of_difference('-', '95') }} as below_95,
        {{ reach_of_difference('+', '95') }} as above_95
    from freed

)

select
    account_id,
    kind,
    month_start,
    metric,
    horizon_days,
    comparison,
    comparison = 'matched' as is_observational,
    n as treated_n,
    cast(comparison_n as bigint) as comparison_n,
    cast(held_back_n as bigint) as held_back_n,
    mean as treated_mean,
    comparison_mean,
    difference,
    difference - below_80 as difference_low_80,
    difference + above_80 as difference_high_80,
    difference - below_95 as difference_low_95,
    difference + above_95 as difference_high_95
from bounded
union all
select
    account_id,
    kind,
    cast(null as date) as month_start,
    'precision' as metric,
    0 as horizon_days,
    'prior' as comparison,
    false as is_observational,
    judged_n as treated_n,
    cast(0 as bigint) as comparison_n,
    cast(0 as bigint) as held_back_n,
    precision as treated_mean,
    {{ prior_precision() }} as comparison_mean,
    precision - {{ prior_precision() }} as difference,
    null as difference_low_80,
    null as difference_high_80,
    null as difference_low_95,
    null as difference_high_95
from precisions
