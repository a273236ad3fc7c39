{# Each person's newest word on each thing that was reviewed: a recommendation, or the explanation of an invoice (the
   subject is its id then). The runner counts by the same rule when it judges whether a kind has earned its next phase. #}
with

events as (select * from {{ ref('stg_action_ledger__events') }}),

words as (

    select
        account_id,
        livemode,
        {{ text_in_json('body', '$.recommendation_kind') }} as recommendation_kind,
        coalesce(recommendation_id, object_id) as subject_id,
        actor as reviewer,
        {{ text_in_json('body', '$.verdict') }} as verdict,
        recommendation_id,
        action_id,
        case when recommendation_id is null then object_id end as invoice_id,
        recorded_at as reviewed_at,
        seq
    from events
    where kind = 'reviewed'

),

numbered as (

    select
        *,
        row_number() over (
            partition by account_id, recommendation_kind, subject_id, reviewer
            order by seq desc
        ) as words_since,
        cast(count(*) over (
            partition by account_id, recommendation_kind, subject_id, reviewer
        ) as integer) as words_in_all
    from words

)

select
    account_id,
    livemode,
    recommendation_kind,
    subject_id,
    reviewer,
    verdict,
    recommendation_id,
    action_id,
    invoice_id,
    reviewed_at,
    seq,
    words_in_all
from numbered
where words_since = 1
