{# The reason of what is recommended, in plain words; none, and the build fails, where its template is missing. #}
with

proposals as (select * from {{ ref('int_proposals_resolved') }} where verdict = 'recommended'),
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
