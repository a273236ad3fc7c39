{# What forecasts were worth, each figure beside its baseline's; a dash stands for what is not known yet. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
served as (select * from {{ ref('usage_forecast') }} where is_current),
card as (select * from {{ ref('forecast_report_card') }}),

methods as (

    select
        account_id,
        {{ commonest('method') }} as method
    from served
    group by account_id

),

figures as (

    select
        card.account_id,
        card.said,
        card.subject,
        methods.method,
        max(case when card.bucket = 'all' then card.n end) as n,
        max(case when card.bucket = 'all' then card.wape end) as wape,
        max(case when card.bucket = 'all' then card.baseline_wape end) as baseline_wape,
        max(case when card.bucket = 'all' then card.cov80 end) as cov80,
        max(case when card.bucket = 'days:28' then card.wape end) as wape_28,
        max(case when card.bucket = 'days:28' then card.baseline_wape end) as baseline_wape_28,
        max(case when card.bucket = 'elapsed:025' then card.median_error end) as error_25,
        max(case when card.bucket = 'elapsed:025' then card.baseline_median_error end) as baseline_error_25,
        max(case when card.bucket = 'elapsed:050' then card.median_error end) as error_50,
        max(case when card.bucket = 'elapsed:050' then card.baseline_median_error end) as baseline_error_50
    from card
    left join methods
        on card.account_id = methods.account_id
    where card.segment_kind = 'all'
    group by
        card.account_id,
        card.said,
        card.subject,
        methods.method

),

filled as (

    select
        figures.account_id,
        figures.said,
        figures.subject,
        {{ fill_template('templates.body', {
            'n': quantity_to_text('figures.n'),
            'method': "replace(coalesce(figures.method, 'not served now'), '_', ' ')",
            'wape': per_cent_text('figures.wape'),
            'baseline_wape': per_cent_text('figures.baseline_wape'),
            'wape_28': per_cent_text('figures.wape_28'),
            'baseline_wape_28': per_cent_text('figures.baseline_wape_28'),
            'error_25': per_cent_text('figures.error_25'),
            'baseline_error_25': per_cent_text('figures.baseline_error_25'),
            'error_50': per_cent_text('figures.error_50'),
            'baseline_error_50': per_cent_text('figures.baseline_error_50'),
            'coverage': "coalesce(" ~ share_to_text('figures.cov80') ~ ", '–')",
        }) }} as text
    from figures
    inner join templates
        on 'digest_' || figures.said || '_' || figures.subject = templates.kind

),

judged as (

    select account_id
    from figures
    group by account_id

),

-- what has come since it was said: one line, or that nothing has
come as (

    select
        judged.account_id,
        case when count(filled.text) = 0 then 'digest_live_none' else 'digest_live' end as kind,
        coalesce({{ texts_joined('filled.text', '; ', 'filled.subject desc') }}, '') as parts
    from judged
    left join filled
        on
            judged.account_id = filled.account_id
            and filled.said = 'live'
    group by judged.account_id

)

select
    account_id,
    case subject when 'usage_day' then 1 when 'usage_period' then 2 else 3 end as line_number,
    text
from filled
where said = 'backtest'
union all
select
    come.account_id,
    4 as line_number,
    {{ fill_template('templates.body', {'parts': 'come.parts'}) }} as text
from come
inner join templates
    on come.kind = templates.kind
union all
select
    account_id,
    line_number,
    text
from {{ ref('int_digest_worse') }}
