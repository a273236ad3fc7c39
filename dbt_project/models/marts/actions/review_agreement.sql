{# By kind and month, and by kind in all: the shadow phase for text as well as for actions. #}
{% set counts = ['reviewers', 'subjects', 'reviews', 'agreed', 'edited', 'wrong'] %}
with

reviews as (select * from {{ ref('int_reviews') }}),

placed as (

    select
        *,
        {{ month_start('reviewed_at') }} as month_start
    from reviews
    union all
    select
        *,
        cast(null as date) as month_start
    from reviews

),

counted as (

    select
        account_id,
        recommendation_kind,
        month_start,
        cast(count(distinct reviewer) as integer) as reviewers,
        cast(count(distinct subject_id) as integer) as subjects,
        cast(count(*) as integer) as reviews,
        cast(sum(case when verdict = 'agree' then 1 else 0 end) as integer) as agreed,
        cast(sum(case when verdict = 'edited' then 1 else 0 end) as integer) as edited,
        cast(sum(case when verdict = 'wrong' then 1 else 0 end) as integer) as wrong,
        max(reviewed_at) as last_reviewed_at
    from placed
    group by
        account_id,
        recommendation_kind,
        month_start

)

select
    account_id,
    recommendation_kind,
    month_start,
    {% for name in counts -%}
        {{ name }},
    {% endfor -%}
    {{ share_of('agreed', 'reviews', 'double') }} as agreement_share,
    {{ wilson_bound('agreed', 'reviews', '-') }} as agreement_low,
    {{ wilson_bound('agreed', 'reviews', '+') }} as agreement_high,
    last_reviewed_at
from counted
