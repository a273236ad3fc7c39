{# Within each plan and size customers are taken as they signed up, in blocks as long as the shares ask for, whose
   places a seeded hash shuffles (permuted blocks, Zelen 1974): variants stay balanced. What is drawn on the day before the start
   is kept, and read from then on: nothing moves anybody any more. #}
{{ config(post_hook="{{ keep_as_said('price_assignments_said', 'enrolled_on = as_of') }}") }}
{% set key = ['account_id', 'experiment_id'] %}
{% set place = key + ['stratum', 'block', 'position'] %}
{% set kept = ['account_id', 'experiment_id', 'customer_id', 'subscription_id', 'subscription_item_id', 'price_id',
    'currency', 'segment', 'plan', 'stratum', 'block', 'variant', 'exclusion', 'as_of'] %}
with

draws as (select * from {{ ref('int_price_experiment_draws') }}),
variants as (select * from {{ ref('int_price_experiments_judged') }} where refusal is null),
said as (select * from {{ ref('stg_ml__price_assignments_said') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
controls as (select * from {{ ref('int_price_experiments_judged') }} where refusal is null and is_control),
numbers as (select {{ numbers_between(1, 20) }} as place),
sizes as (

    select
        {{ columns_of('variants', key) }},
        numbers.place
    from variants
    cross join numbers
    group by {{ columns_of('variants', key) }}, numbers.place
    having
        numbers.place = 20
        or bool_and(abs(variants.share_to * numbers.place - round(variants.share_to * numbers.place, 0)) < 0.001)

),

-- the fewest places that the shares divide without a rest
blocks as (

    select
        account_id,
        experiment_id,
        min(place) as places
    from sizes
    group by account_id, experiment_id

),

blocked as (

    select
        draws.*,
        blocks.places,
        cast(mod(draws.number_in_stratum, blocks.places) + 1 as integer) as position,
        cast(draws.number_in_stratum - mod(draws.number_in_stratum, blocks.places) as integer) as block
    from draws
    inner join blocks on {{ same_keys('draws', 'blocks', key) }}

),

shuffled as (

    select
        blocked.account_id,
        blocked.experiment_id,
        blocked.stratum,
        blocked.block,
        numbers.place - 0.5 as place,
        blocked.places,
        row_number() over (
            partition by blocked.account_id, blocked.experiment_id, blocked.stratum, blocked.block
            order by {{ hash_share(
                "blocked.seed || '|' || blocked.experiment_id || '|' || blocked.stratum || '|' || "
                ~ as_text('blocked.block') ~ " || '|' || " ~ as_text('numbers.place')
            ) }}, numbers.place
        ) as position
    from blocked
    inner join numbers on blocked.places >= numbers.place
    where blocked.position = 1 and blocked.reason_code is null

),

drawn as (

    select
        {{ columns_of('blocked', kept | reject('in', ['variant', 'exclusion']) | list) }},
        variants.variant,
        blocked.reason_code as exclusion
    from blocked
    left join shuffled on {{ same_keys('blocked', 'shuffled', place) }} and blocked.reason_code is null
    left join variants
        on
            {{ same_keys('shuffled', 'variants', key) }}
            and shuffled.place < variants.share_to * shuffled.places
            and shuffled.place >= (variants.share_to - variants.share) * shuffled.places

),

assigned as (

    select
        {{ columns_of('said', kept) }},
        said.as_of as enrolled_on
    from said
    union all
    select
        {{ columns_of('drawn', kept) }},
        cast(null as date) as enrolled_on
    from drawn

)

select
    {{ columns_of('assigned', kept[:-2]) }},
    controls.variant = assigned.variant as is_control,
    assigned.exclusion,
    templates.body as reason,
    controls.fixed as design,
    coalesce(
        assigned.enrolled_on,
        case when controls.is_released = 'true' and controls.as_of + 1 >= controls.starts_on then controls.as_of end
    ) as enrolled_on,
    controls.as_of
from assigned
inner join controls on {{ same_keys('assigned', 'controls', key) }} and assigned.as_of <= controls.as_of
left join templates on 'experiment_excluded_' || assigned.exclusion = templates.kind
