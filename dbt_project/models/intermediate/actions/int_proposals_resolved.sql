{# One verdict per proposal. A customer gets one of each conflict group: a credit first; what was decided already keeps
   its place, so that no other takes it; then an offer, a smaller plan, a larger one, a quote, a test; the more urgent
   first. Of each kind the most urgent, for a share of the customers. Of all kinds at most {{ most_at_once() }}, the first
   of each kind in turn: with a message beside each that is less than the 10,000 rows that the runner reads. #}
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
        first_value(recommendation_id) over by_group as first_recommendation_id,
        first_value(kind) over by_group as first_kind
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

resolved as (

    select
        *,
        case
            when verdict_in_kind is not null then verdict_in_kind
            when row_number() over (
                partition by account_id, verdict_in_kind
                order by rank_in_kind asc, kind asc, recommendation_id asc
            ) > {{ most_at_once() }} then 'over_share'
            else 'recommended'
        end as verdict
    from shared

)

select * from resolved
