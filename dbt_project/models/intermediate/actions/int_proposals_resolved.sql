{# One verdict per proposal. A customer gets one of each conflict group: a credit first; what was decided already keeps
   its place, so that no other takes it; then an offer, a smaller plan, a larger one, a quote, a test; the more urgent
   first. Of each kind the most urgent, for a share of the customers. Of all kinds at most {{ most_at_once() }}, the first
   of each kind in turn: with a message beside each that is less than the 10,000 rows that the runner reads. And notices
   speak of today's prices: none beside a move to others, nor a note beside the credit for what it would explain. #}
with

checked as (select * from {{ ref('int_proposals_checked') }}),

customers as (
    select
        account_id,
        count(*) as customers
    from {{ ref('stg_stripe__customers') }}
    where not is_deleted
    group by account_id
),

judged as (
    select
        *,
        case kind
            when 'retention_offer' then 1 when 'right_size_downgrade' then 2 when 'tier_upgrade' then 3
            when 'upgrade_quote' then 4 when 'price_test_assignment' then 5
            when 'retry_payment' then 1 when 'payment_plan' then 2
            else 0
        end as kind_place,
        case
            when is_settled then 'settled'
            when refusal is not null then 'refused'
            when is_stale then 'stale'
            when is_doubted then 'doubted'
            when cools_until is not null then 'cool_down'
        end as own_verdict
    from checked
),

contending as (
    select
        *,
        row_number() over by_group as place,
        first_value(recommendation_id) over by_group as group_recommendation_id,
        first_value(kind) over by_group as group_kind
    from judged
    window by_group as (
        partition by account_id, conflict_key
        order by
            coalesce(own_verdict, 'settled') = 'settled' desc,
            kind = 'courtesy_credit' desc,
            is_settled desc,
            kind_place asc,
            urgency desc,
            recommendation_id asc
    )
),

placed as (
    select
        *,
        coalesce(own_verdict, case when place > 1 then 'conflict' end) as verdict_so_far
    from contending
),

ranked as (
    select
        placed.*,
        row_number() over (
            partition by placed.account_id, placed.kind, placed.verdict_so_far
            order by placed.urgency desc, placed.recommendation_id asc
        ) as rank_in_kind,
        ceil(placed.most_share * customers.customers) as most_of_kind
    from placed
    inner join customers
        on placed.account_id = customers.account_id
),

shared as (
    select
        *,
        case
            when verdict_so_far is not null then verdict_so_far
            when rank_in_kind > most_of_kind then 'over_share'
        end as verdict_in_kind
    from ranked
),

counted as (
    select
        *,
        case
            when verdict_in_kind is not null then verdict_in_kind
            when row_number() over (
                partition by account_id, verdict_in_kind
                order by rank_in_kind asc, kind asc, recommendation_id asc
            ) > {{ most_at_once() }} then 'over_share'
            else 'recommended'
        end as verdict_alone
    from shared
),

resolved as (
    select
        counted.*,
        case when moves.kind is null then counted.verdict_alone else 'conflict' end as verdict,
        coalesce(moves.recommendation_id, counted.group_recommendation_id) as first_recommendation_id,
        coalesce(moves.kind, counted.group_kind) as first_kind
    from counted
    -- of kinds that share a group a customer has one at most
    left join counted as moves
        on
            {{ same_keys('counted', 'moves', ['account_id', 'customer_id', 'subscription_id', 'verdict_alone']) }}
            and counted.verdict_alone = 'recommended'
            and (
                counted.kind = 'invoice_note' and moves.kind in ('courtesy_credit', 'right_size_downgrade')
                or counted.kind in ('invoice_note', 'usage_alert')
                and moves.kind in ('tier_upgrade', 'price_test_assignment')
            )
)

select * from resolved
