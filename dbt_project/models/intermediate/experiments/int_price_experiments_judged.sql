{# Experiments as understood, with all that is fixed before they begin; or what is wrong, and then nothing happens. #}
{% set numbers = ['share', 'most_share', 'settle_days', 'pre_days', 'wanted_effect', 'most_churn_increase',
    'most_bill_shock', 'most_risk'] %}
{% set common = ['plan', 'meter', 'segment', 'most_share', 'starts_on', 'ends_on', 'settle_days', 'pre_days',
    'primary_metric', 'wanted_effect', 'most_churn_increase', 'most_bill_shock', 'most_risk', 'seed', 'is_released'] %}
{% set experiment = 'partition by typed.account_id, typed.experiment_id' %}
with

designs as (select * from {{ ref('price_experiment_designs') }}),
books as (select * from {{ ref('int_price_books_judged') }}),
as_of as (select * from {{ ref('int_as_of') }}),
prices as (select * from {{ ref('dim_prices') }} where is_active and experiment_id is null),
said as (select * from {{ ref('stg_ml__price_assignments_said') }}),

typed as (

    select
        as_of.account_id,
        as_of.as_of,
        coalesce(designs.experiment_id, '') as experiment_id,
        coalesce(designs.variant, '') as variant,
        designs.price_book,
        designs.price_book is null as is_control,
        coalesce(designs.plan, '') as plan,
        designs.meter,
        designs.segment,
        {{ cast_or_null('designs.starts_on', 'date') }} as starts_on,
        {{ cast_or_null('designs.ends_on', 'date') }} as ends_on,
        {% for number in numbers -%}
            {{ cast_or_null('designs.' ~ number, 'decimal(9, 6)') }} as {{ number }},
        {% endfor -%}
        designs.primary_metric,
        coalesce(designs.seed, '') as seed,
        lower(designs.is_released) as is_released,
        {{ texts_in_one('designs', common) }} as design,
        -- who stops an experiment changes nothing of it
        {{ texts_in_one('designs', common[:-1]) }} as fixed
    from designs
    cross join as_of

),

sold as (

    select distinct
        account_id,
        coalesce(plan, '') as plan,
        meter_event_name
    from prices

),

enrolled as (

    select
        said.account_id,
        said.experiment_id,
        min(said.as_of) as enrolled_on,
        min(said.design) as fixed_then
    from said
    inner join as_of
        on
            said.account_id = as_of.account_id
            and said.as_of <= as_of.as_of
    group by said.account_id, said.experiment_id

),

held as (

    select
        typed.*,
        enrolled.enrolled_on,
        enrolled.fixed_then,
        sold.account_id is not null as is_sold,
        books.book is not null as is_book_known,
        case when books.is_refused then coalesce(books.refusal, '') end as book_refusal,
        count(*) over ({{ experiment }}, typed.variant) as namesakes_n,
        row_number() over ({{ experiment }}, typed.variant order by typed.design, typed.price_book) as namesake_number,
        count(*) over ({{ experiment }}) as variants_n,
        sum(case when typed.is_control then 1 else 0 end) over ({{ experiment }}) as controls_n,
        sum(typed.share) over ({{ experiment }}) as shares,
        sum(typed.share) over (
            {{ experiment }} order by typed.is_control desc, typed.variant asc
            rows between unbounded preceding and current row
        ) as share_to,
        min(typed.design) over ({{ experiment }}) = max(typed.design) over ({{ experiment }}) as is_agreed
    from typed
    left join sold on {{ same_keys('typed', 'sold', ['account_id', 'plan']) }} and typed.meter = sold.meter_event_name
    left join books on typed.account_id = books.account_id and typed.price_book = books.book
    left join enrolled on {{ same_keys('typed', 'enrolled', ['account_id', 'experiment_id']) }}

),

judged as (

    select
        *,
        {{ price_experiment_problem(numbers) }} as problem
    from held

)

select
    *,
    min('experiment ' || experiment_id || ', variant ' || variant || ': ' || problem)
        over (partition by account_id, experiment_id)
        as refusal
from judged
-- two rows of one name have the same problem
where namesake_number = 1
