{# The lives of subscriptions as spans of one state. Up to the day before the first load they are rebuilt from the
   subscription's own dates: it lives from its start to its end, and counts when its trial is over. From then on they are
   what was observed: what events say, and what each load read. #}
with

observed as (select * from {{ ref('int_subscription_observations') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
as_of as (select * from {{ ref('int_as_of') }}),

ordered as (

    select
        observed.account_id,
        observed.subscription_id,
        observed.status,
        observed.pause_behavior,
        case
            when row_number() over later = 1 then least(observed.observed_at, subscriptions.created_at)
            else observed.observed_at
        end as valid_from,
        lead(observed.observed_at) over later as valid_to
    from observed
    inner join subscriptions
        on
            observed.account_id = subscriptions.account_id
            and observed.subscription_id = subscriptions.subscription_id
    window later as (
        partition by observed.account_id, observed.subscription_id
        order by observed.observed_at, observed.loaded_at, observed.turn, observed.place
    )

),

landed as (

    select
        ordered.account_id,
        ordered.subscription_id,
        greatest(ordered.valid_from, as_of.landed_from) as valid_from,
        ordered.valid_to,
        ordered.status in ('active', 'past_due') and ordered.pause_behavior is null as is_counted,
        false as is_reconstructed
    from ordered
    inner join as_of
        on ordered.account_id = as_of.account_id
    where
        coalesce(ordered.valid_to > greatest(ordered.valid_from, as_of.landed_from), true)
        -- what is unpaid or ended does not live any more, what is incomplete does not yet
        and ordered.status in ('active', 'past_due', 'trialing', 'paused')

),

rebuilt as (

    select
        subscriptions.account_id,
        subscriptions.subscription_id,
        subscriptions.started_at,
        -- a trial may begin in the middle of a paid life
        least(
            greatest(subscriptions.started_at, subscriptions.trial_started_at),
            greatest(subscriptions.started_at, subscriptions.trial_ends_at)
        ) as trial_from,
        greatest(subscriptions.started_at, subscriptions.trial_ends_at) as counted_from,
        least(as_of.landed_from, subscriptions.ended_at) as ends_at
    from subscriptions
    inner join as_of
        on
            subscriptions.account_id = as_of.account_id
            and subscriptions.started_at < as_of.landed_from
    where subscriptions.has_lived

)

select * from landed
union all
select
    account_id,
    subscription_id,
    started_at as valid_from,
    least(trial_from, ends_at) as valid_to,
    true as is_counted,
    true as is_reconstructed
from rebuilt
where started_at < least(trial_from, ends_at)
union all
select
    account_id,
    subscription_id,
    trial_from as valid_from,
    least(counted_from, ends_at) as valid_to,
    false as is_counted,
    true as is_reconstructed
from rebuilt
where trial_from < least(counted_from, ends_at)
union all
select
    account_id,
    subscription_id,
    counted_from as valid_from,
    ends_at as valid_to,
    true as is_counted,
    true as is_reconstructed
from rebuilt
where counted_from < ends_at
