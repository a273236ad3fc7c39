{# The reason of what is recommended, in plain words; none, and the build fails, where its template is missing. And who
   is held back: drawn by customer and kind, so that every build draws alike. #}
{% set drawn = "'" ~ var('hold_back_seed') ~ " ' || account_id || ' ' || customer_id || ' ' || kind" %}
with

proposals as (
    select
        *,
        coalesce({{ hash_share(drawn) }} < hold_back_share, false) as is_held_back
    from {{ ref('int_proposals_resolved') }}
    where verdict = 'recommended'
),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

worded as (

    select
        proposals.*,
        {{ fill_from_json('templates.body', 'proposals.words') }} as reason
    from proposals
    left join templates
        on proposals.template = templates.kind

)

select * from worded
