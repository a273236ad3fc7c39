{# How often a kind was right, as far as anybody said or it showed. Each recommendation is one piece of evidence, the
   first of these that there is: what people said of it in a review (agree 1, edited a half, wrong 0; the mean of their
   words), that it was taken back (0), declined (0, of half the weight: a decline may be about the moment), or approved by
   a person and carried out (1, of half the weight; 0 if the customer left within 90 days). What takes an action back is
   no evidence of its own. The prior is Beta(9, 1): nine of ten, as if ten had been judged; a kind without evidence keeps
   its confidence. #}
with

accounts as (select * from {{ ref('stg_stripe__accounts') }}),
kinds as (select * from {{ ref('action_kinds') }}),
events as (select * from {{ ref('stg_action_ledger__events') }} where recommendation_id is not null),
actions as (select * from {{ ref('int_actions_executed') }}),
reviews as (select * from {{ ref('int_reviews') }} where recommendation_id is not null),
churn_dates as (select * from {{ ref('int_churn_dates') }}),

said as (

    select
        account_id,
        recommendation_id,
        recommendation_kind as kind,
        count(*) as reviews,
        sum(case verdict when 'agree' then 2 when 'edited' then 1 else 0 end) as half_points
    from reviews
    group by account_id, recommendation_id, recommendation_kind

),

decided as (

    select
        events.account_id,
        events.recommendation_id,
        max(case when events.kind = 'planned' then {{ text_in_json('body', '$.recommendation_kind') }} end) as kind,
        -- where rules ask for nobody, the service approves by itself
        bool_or(events.kind = 'approved' and coalesce(events.actor_assurance != 'service', true)) as is_approved,
        bool_or(events.kind = 'declined') as is_declined,
        bool_or(events.kind = 'compensated') as is_undone,
        max(actions.customer_id) as customer_id,
        cast(max(actions.executed_at) as date) as done_on
    from events
    left join actions on {{ same_keys('events', 'actions', ['account_id', 'recommendation_id']) }}
    group by events.account_id, events.recommendation_id
    having count(case when events.kind = 'planned' then {{ text_in_json('events.body', '$.undoes') }} end) = 0

),

left_after as (

    select distinct
        decided.account_id,
        decided.recommendation_id
    from decided
    inner join churn_dates
        on
            {{ same_keys('decided', 'churn_dates', ['account_id', 'customer_id']) }}
            and churn_dates.cause = 'subscription_ended'
            and churn_dates.churned_on >= decided.done_on
            and churn_dates.churned_on < decided.done_on + 90

),

judged as (

    select
        decided.account_id,
        coalesce(said.kind, decided.kind) as kind,
        said.kind is not null as is_reviewed,
        case when said.kind is not null or decided.is_undone then 1.0 else 0.5 end as weight,
        case
            when said.kind is not null then {{ share_of('said.half_points', '2 * said.reviews') }}
            when decided.is_undone or decided.is_declined or left_after.recommendation_id is not null then 0
            else 0.5
        end as points
    from decided
    left join said on {{ same_keys('decided', 'said', ['account_id', 'recommendation_id']) }}
    left join left_after on {{ same_keys('decided', 'left_after', ['account_id', 'recommendation_id']) }}
    where
        said.kind is not null
        or decided.is_declined
        or decided.is_undone
        or (decided.is_approved and decided.done_on is not null)

),

counted as (

    select
        accounts.account_id,
        kinds.kind,
        count(judged.kind) as judged_n,
        coalesce(sum(case when judged.is_reviewed then 1 else 0 end), 0) as reviewed_n,
        coalesce(sum(judged.weight), 0) as evidence_weight,
        coalesce(sum(judged.points), 0) as evidence_points
    from accounts
    cross join kinds
    left join judged
        on
            accounts.account_id = judged.account_id
            and kinds.kind = judged.kind
    group by accounts.account_id, kinds.kind

)

select
    account_id,
    kind,
    cast(judged_n as bigint) as judged_n,
    cast(reviewed_n as bigint) as reviewed_n,
    cast(evidence_weight as {{ double_type() }}) as evidence_weight,
    {{ share_of(
        prior_right() ~ ' + evidence_points', prior_judged() ~ ' + evidence_weight', 'double'
    ) }} as precision,
    least({{ share_of(
        prior_judged() ~ ' * (' ~ prior_right() ~ ' + evidence_points)',
        prior_right() ~ ' * (' ~ prior_judged() ~ ' + evidence_weight)',
        'double'
    ) }}, 1) as factor
from counted
