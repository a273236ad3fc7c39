{# Summaries of billing periods as they were known, by the rule of int_usage_corrections: what each was said to be
   before it was revised, and on which origins. A summary stands for the day that it ends on. #}
{% set windows = ['account_id', 'customer_id', 'meter_id', 'window_start', 'window_end'] %}

with

period_usage as (select * from {{ ref('stg_stripe__meter_period_usage') }}),
revisions as (select * from {{ ref('stg_stripe__meter_usage_revisions') }} where grain = 'period'),
cover as (select * from {{ ref('int_usage_cover') }}),

summaries as (

    select
        *,
        cast(window_end - interval '1 second' as date) as ended_on
    from period_usage

),

-- what a summary was said to be until it was revised; null while there was none, though the day was loaded
valued as (

    select
        {{ columns_of('summaries', windows + ['ended_on', 'quantity']) }},
        cast(null as decimal(18, 6)) as known_quantity,
        cover.covered_at as first_seen_at,
        summaries.first_seen_at as superseded_at,
        cover.covered_at
    from summaries
    inner join cover
        on
            {{ same_keys('summaries', 'cover', ['account_id', 'meter_id']) }}
            and summaries.ended_on = cover.usage_date
            and summaries.first_seen_at > cover.covered_at
    union all
    select
        {{ columns_of('summaries', windows + ['ended_on', 'quantity']) }},
        revisions.quantity as known_quantity,
        revisions.first_seen_at,
        revisions.superseded_at,
        coalesce(cover.covered_at, summaries.first_seen_at) as covered_at
    from summaries
    inner join revisions
        on
            {{ same_keys('summaries', 'revisions', windows) }}
            and revisions.superseded_at is not null
    left join cover
        on
            {{ same_keys('summaries', 'cover', ['account_id', 'meter_id']) }}
            and summaries.ended_on = cover.usage_date

),

dated as (

    select
        *,
        case when first_seen_at <= covered_at then ended_on else cast(first_seen_at as date) end as known_from,
        case when superseded_at <= covered_at then ended_on else cast(superseded_at as date) end as known_until
    from valued

)

select * from dated
where known_from < known_until
