{# Who takes part if an experiment begins today, in which order. The order is that of signing up, and sizes have fixed
   borders (powers of 4 of a day's usage), so that who signs up later moves nobody. Of a segment the k-th takes part where
   k x share reaches the next whole number. #}
{% set key = ['account_id', 'experiment_id'] %}
with

candidates as (select * from {{ ref('int_price_experiment_candidates') }}),
locks as (select * from {{ ref('contract_locks') }}),
risks as (select * from {{ ref('churn_risk') }} where is_current and horizon_days = {{ churn_horizon_days() }}),
earlier as (

    select
        account_id,
        customer_id,
        min(as_of) as assigned_on
    from {{ ref('stg_ml__price_assignments_said') }}
    where variant is not null
    group by account_id, customer_id

),

locked as ({{ locked_subscriptions('candidates', 'locks') }}),

barred as (

    select
        candidates.*,
        candidates.plan || ':' || {{ as_text("cast(floor(" ~ share_of(
            'ln(greatest(candidates.quantity, 0.000001)) - ln(candidates.pre_days)', 'ln(4)', 'double'
        ) ~ ") as integer)") }} as stratum,
        case
            when candidates.status in ('past_due', 'unpaid') or candidates.is_delinquent then 'past_due'
            when candidates.is_ending then 'cancelled'
            when candidates.status != 'active' then 'not_active'
            when candidates.has_schedule or locked.account_id is not null then 'contract'
            when candidates.has_discount then 'discount'
            when risks.probability > candidates.most_risk then 'at_risk'
            when earlier.account_id is not null then 'assigned_before'
            when candidates.items_n > 1 then 'two_subscriptions'
            when not candidates.is_in_catalogue then 'other_price'
            when not candidates.is_priced then 'no_variant_price'
            when candidates.first_day > candidates.as_of - cast(candidates.pre_days as integer) + 1 then 'too_new'
            when candidates.quantity = 0 then 'no_usage'
        end as barred_by
    from candidates
    left join risks on {{ same_keys('candidates', 'risks', ['account_id', 'customer_id']) }}
    left join earlier
        on
            {{ same_keys('candidates', 'earlier', ['account_id', 'customer_id']) }}
            and candidates.as_of >= earlier.assigned_on
    left join locked on {{ same_keys('candidates', 'locked', ['account_id', 'subscription_id']) }}

),

-- a customer is in one experiment, the released one that begins first
chosen as (

    select
        *,
        coalesce(barred_by, case
            when row_number() over (
                partition by account_id, customer_id, barred_by is null
                order by is_released desc, starts_on asc, experiment_id asc
            ) > 1 then 'other_experiment'
        end) as exclusion
    from barred

),

counted as (

    select
        *,
        row_number() over (
            partition by account_id, experiment_id, segment, exclusion is null
            order by created_at, customer_id
        ) as number_in_segment
    from chosen

),

capped as (

    select
        *,
        coalesce(exclusion, case
            when floor(number_in_segment * most_share) = floor((number_in_segment - 1) * most_share) then 'over_share'
        end) as reason_code
    from counted

)

select
    *,
    row_number() over (
        partition by account_id, experiment_id, stratum, reason_code is null
        order by created_at, customer_id
    ) - 1 as number_in_stratum
from capped
