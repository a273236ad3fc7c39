{# What came of what was carried out: the change of MRR of the kinds carried out most, at the longest horizon that has
   passed for anybody, against those held back or those like them. #}
{{ config(tags=['after_ml']) }}
with

effects as (
    select * from {{ ref('action_effects') }}
    where
        metric = 'mrr_change'
        and month_start is null
),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

newest as (

    select
        *,
        row_number() over (partition by account_id, kind order by horizon_days desc) as from_longest
    from effects

),

ranked as (

    select
        *,
        case when difference_low_80 is null then 'alone' else comparison end as told_against,
        cast(row_number() over (partition by account_id order by treated_n desc, kind asc) as integer) as line_number
    from newest
    where from_longest = 1

)

select
    ranked.account_id,
    'outcomes' as section,
    8 as section_number,
    ranked.line_number,
    cast(null as {{ text_type() }}) as customer_id,
    {{ fill_template('templates.body', {
        'kind': "replace(ranked.kind, '_', ' ')",
        'n': quantity_to_text('ranked.treated_n'),
        'days': as_text('ranked.horizon_days'),
        'change': per_cent_text('ranked.treated_mean'),
        'other_n': quantity_to_text('ranked.comparison_n'),
        'other_change': per_cent_text('ranked.comparison_mean'),
        'difference': per_cent_text('ranked.difference'),
        'low': per_cent_text('ranked.difference_low_80'),
        'high': per_cent_text('ranked.difference_high_80'),
    }) }} as text
from ranked
inner join templates
    on 'digest_effect_' || ranked.told_against = templates.kind
where ranked.line_number <= 3
