{# What is advised in all, what was left out and why, and the best of it. Amounts of two currencies are never compared,
   nor those of two kinds: the best of one kind in one currency is named. #}
{{ config(tags=['after_ml']) }}
with

recommendations as (select * from {{ ref('recommendations') }}),
sums as (select * from {{ ref('int_recommendations_summed') }}),
withheld as (select * from {{ ref('recommendations_withheld') }}),
current_days as (select * from {{ ref('int_as_of') }}),
kinds as (select * from {{ ref('action_kinds') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

counted as (
    select
        account_id,
        sum(case when kind != 'customer_message' and not is_held_back then 1 else 0 end) as recommended,
        sum(case when kind = 'customer_message' then 1 else 0 end) as messages,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from recommendations
    group by account_id
),

valued as (
    select
        account_id,
        {{ texts_joined('worth', ', ', 'currency asc') }} as worth
    from sums
    group by account_id
),

verdicts as (
    select
        account_id,
        replace(verdict, '_', ' ') as verdict,
        count(*) as proposals
    from withheld
    group by account_id, verdict
),

left_out as (
    select
        account_id,
        cast(sum(proposals) as bigint) as withheld,
        {{ texts_joined("verdict || ' ' || " ~ quantity_to_text('proposals'), ', ', 'verdict asc') }} as why
    from verdicts
    group by account_id
),

totals as (
    select
        current_days.account_id,
        1 as line_number,
        cast(null as {{ text_type() }}) as customer_id,
        {{ fill_template('templates.body', {
            'recommended': quantity_to_text('coalesce(counted.recommended, 0)'),
            'worth': "coalesce(valued.worth, '-')",
            'messages': quantity_to_text('coalesce(counted.messages, 0)'),
            'held_back': quantity_to_text('coalesce(counted.held_back, 0)'),
            'withheld': quantity_to_text('coalesce(left_out.withheld, 0)'),
            'why': "coalesce(left_out.why, '-')",
        }) }} as text
    from current_days
    left join counted
        on current_days.account_id = counted.account_id
    left join valued
        on current_days.account_id = valued.account_id
    left join left_out
        on current_days.account_id = left_out.account_id
    inner join templates
        on templates.kind = case
            when counted.recommended > 0 then 'digest_advice'
            when left_out.withheld > 0 or counted.held_back > 0 then 'digest_advice_withheld'
        end
),

ranked as (
    select
        recommendations.*,
        kinds.conflict_group = 'bill' as is_of_bills,
        count(*) over (partition by recommendations.account_id, recommendations.kind) as of_kind,
        count(*) over by_currency as of_currency,
        row_number() over (
            by_currency order by abs(recommendations.expected_value_minor) desc, recommendations.recommendation_id asc
        ) as rank_in_kind
    from recommendations
    inner join kinds
        on recommendations.kind = kinds.kind
    where recommendations.kind != 'customer_message' and not recommendations.is_held_back
    window by_currency as (partition by recommendations.account_id, recommendations.kind, recommendations.currency)
),

best as (
    select
        account_id,
        cast(1 + row_number() over (
            partition by account_id
            order by rank_in_kind asc, is_of_bills desc, of_kind desc, kind desc, of_currency desc, currency asc
        ) as integer) as line_number,
        customer_id,
        replace(kind, '_', ' ') || ': ' || reason as text
    from ranked

),

lines as (
    select * from totals
    union all
    select * from best
    where line_number = 2

)

select
    account_id,
    'recommendations' as section,
    6 as section_number,
    line_number,
    customer_id,
    text
from lines
