{# A draft to the customer beside each recommendation whose kind has a template for it, in the language that it prefers
   (de-AT: else de) where the template is there in it, else in English; and the proposal that a person approves its text. #}
with

proposals as (select * from {{ ref('int_proposals_worded') }} where not is_held_back),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),
templates as (select * from {{ ref('message_templates') }} where subject is not null),
decided as (select * from {{ ref('int_actions_decided') }}),

ranked as (

    select
        proposals.*,
        templates.locale,
        templates.kind as message_template,
        templates.subject as subject_template,
        templates.body as body_template,
        row_number() over (
            partition by proposals.account_id, proposals.recommendation_id
            order by templates.locale = 'en' asc, length(templates.locale) desc
        ) as choice
    from proposals
    inner join customers
        on
            proposals.account_id = customers.account_id
            and proposals.customer_id = customers.customer_id
    inner join templates
        on
            proposals.kind || '_message' = templates.kind
            and (
                templates.locale in ('en', customers.preferred_locale)
                or customers.preferred_locale like templates.locale || '-%'
            )

),

chosen as (

    select
        *,
        {{ fill_from_json('subject_template', 'words') }} as subject,
        {{ fill_from_json('body_template', 'words') }} as body
    from ranked
    where choice = 1

),

proposed as (

    select
        account_id,
        'customer_message' as kind,
        kind as recommended_kind,
        recommendation_id as source_recommendation_id,
        as_of,
        customer_id,
        subscription_id,
        recommendation_id as source_event_id,
        recommendation_id as subject_id,
        message_template || ':' || locale as target_key,
        period,
        currency,
        livemode,
        locale,
        message_template,
        subject,
        body,
        evidence,
        'h1:' || {{ digest_of(as_json_text({'body': 'body', 'subject': 'subject'})) }} as text_hash,
        reason,
        model_version,
        confidence,
        urgency
    from chosen

),

identified as (

    select
        *,
        {{ recommendation_id() }} as recommendation_id,
        {{ as_json_text({'locale': 'locale', 'template': 'message_template', 'text_hash': 'text_hash'}) }} as params,
        {{ as_json_text({'currency': 'currency', 'customer': 'customer_id', 'livemode': 'livemode'}) }} as precondition
    from proposed

)

select
    identified.*,
    decided.recommendation_id is not null as is_settled,
    coalesce(decided.is_declined, false) as is_declined
from identified
left join decided
    on
        identified.account_id = decided.account_id
        and identified.recommendation_id = decided.recommendation_id
