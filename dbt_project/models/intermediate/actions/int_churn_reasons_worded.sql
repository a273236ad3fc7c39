{# Only what raises the risk is a reason; the strongest comes first. #}
with

risks as (select * from {{ ref('stg_ml__churn_risk') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
other as (select * from templates where kind = 'churn_reason_other'),

contributions as (

    {{ rows_of_json('risks', 'reasons', ['account_id', 'customer_id', 'as_of'], {
        'feature': 'VARCHAR', 'value': 'DOUBLE', 'contribution': 'DOUBLE',
    }) }}

),

raising as (

    select
        account_id,
        customer_id,
        as_of,
        feature,
        contribution,
        replace({{ safe_text('feature') }}, '_', ' ') as feature_words,
        coalesce({{ quantity_to_text('value') }}, 'unknown') as number_words,
        coalesce({{ quantity_to_text('value * 100') }} || ' %', 'unknown') as percent_words

    from contributions
    where contribution > 0

),

worded as (

    select
        raising.*,
        {{ fill_template('coalesce(templates.body, other.body)', {
            'feature': 'raising.feature_words',
            'number': 'raising.number_words',
            'percent': 'raising.percent_words',
        }) }} as sentence

    from raising
    cross join other
    left join templates
        on 'churn_reason_' || raising.feature = templates.kind

),

joined as (

    select
        account_id,
        customer_id,
        as_of,
        {{ texts_joined('sentence', '; ', 'contribution desc, feature asc') }} as reasons

    from worded
    group by account_id, customer_id, as_of

)

select * from joined
