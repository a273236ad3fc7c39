{# Reasons as the model gave them, at most three of a score and the strongest first, in words. A yes or no has words for
   each. `reasons` holds what raises the risk; what lowers it has a negative contribution. #}
{% set keys = ['account_id', 'customer_id', 'as_of', 'horizon_days'] %}

with

risks as (select * from {{ ref('stg_ml__churn_risk') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
other as (select * from templates where kind = 'churn_reason_other'),

contributions as (

    {{ rows_of_json('risks', 'reasons', keys, {
        'feature': 'VARCHAR', 'value': 'DOUBLE', 'level': 'VARCHAR', 'contribution': 'DOUBLE',
    }) }}

),

ranked as (

    select
        {{ columns_of('contributions', keys) }},
        feature,
        contribution,
        case when value in (0, 1) then cast(value as integer) end as flag,
        replace({{ safe_text('feature') }}, '_', ' ') as feature_words,
        coalesce({{ safe_text('level') }}, 'unknown') as level_words,
        coalesce({{ quantity_to_text('value') }}, 'unknown') as number_words,
        coalesce({{ quantity_to_text('value * 100') }} || ' %', 'unknown') as percent_words,
        row_number() over (
            partition by account_id, customer_id, as_of, horizon_days
            order by abs(contribution) desc, feature asc
        ) as reason_rank

    from contributions

),

worded as (

    select
        ranked.*,
        {{ fill_template('coalesce(flag_templates.body, templates.body, other.body)', {
            'feature': 'ranked.feature_words',
            'level': 'ranked.level_words',
            'number': 'ranked.number_words',
            'percent': 'ranked.percent_words',
        }) }} as sentence

    from ranked
    cross join other
    left join templates
        on 'churn_reason_' || ranked.feature = templates.kind
    left join templates as flag_templates
        on 'churn_reason_' || ranked.feature || '_' || {{ as_text('ranked.flag') }} = flag_templates.kind

),

joined as (

    select
        account_id,
        customer_id,
        as_of,
        horizon_days,
        {% for rank in (1, 2, 3) -%}
            max(case when reason_rank = {{ rank }} then sentence end) as reason_{{ rank }},
            max(case when reason_rank = {{ rank }} then contribution end) as contribution_{{ rank }},
        {% endfor -%}
        {{ texts_joined('case when contribution > 0 then sentence end', '; ', 'contribution desc, feature asc') }}
            as reasons

    from worded
    group by
        account_id,
        customer_id,
        as_of,
        horizon_days

)

select * from joined
