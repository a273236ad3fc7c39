{# Where the forecast does worse than its baseline, the largest segments by name: the reader of a run is told. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
card as (select * from {{ ref('forecast_report_card') }} where n_compared >= 30),
meters as (select * from {{ ref('stg_stripe__meters') }}),

ranked as (

    select
        card.*,
        case
            when card.segment_kind = 'all' then 'all'
            else replace(card.segment_kind, '_', ' ') || ' ' || coalesce(meters.meter_event_name, card.segment)
        end as segment_words,
        case
            when card.bucket = 'all' then 'at any time'
            when card.bucket like 'elapsed:%'
                then {{ as_text('cast(substring(card.bucket, 9) as integer)') }} || ' % over'
            else replace(card.bucket, ':', ' ')
        end as bucket_words,
        row_number() over (
            partition by card.account_id, card.is_worse_than_baseline
            order by
                card.n_compared desc, card.said asc, card.subject asc, card.segment_kind asc, card.segment asc,
                card.bucket asc
        ) as place
    from card
    left join meters
        on
            card.account_id = meters.account_id
            and card.segment = meters.meter_id

),

counted as (

    select
        ranked.account_id,
        count(*) as segments,
        sum(case when ranked.is_worse_than_baseline then 1 else 0 end) as worse,
        {{ texts_joined(
            "case when ranked.is_worse_than_baseline and ranked.place <= 2 then "
            ~ fill_template('templates.body', {
                'said': 'ranked.said',
                'subject': "replace(ranked.subject, '_', ' ')",
                'segment': safe_text('ranked.segment_words'),
                'bucket': 'ranked.bucket_words',
                'wape': figure_to_text('100 * ranked.wape', 1),
                'baseline_wape': figure_to_text('100 * ranked.baseline_wape', 1),
            }) ~ " end",
            '; ',
            'ranked.place asc'
        ) }} as named
    from ranked
    inner join templates
        on templates.kind = 'digest_worse_one'
    group by ranked.account_id

)

select
    counted.account_id,
    5 as line_number,
    {{ fill_template('templates.body', {
        'segments': quantity_to_text('counted.segments'),
        'worse': quantity_to_text('counted.worse'),
        'named': "coalesce(counted.named, '')",
    }) }} as text
from counted
inner join templates
    on templates.kind = case when counted.worse = 0 then 'digest_worse_none' else 'digest_worse' end
