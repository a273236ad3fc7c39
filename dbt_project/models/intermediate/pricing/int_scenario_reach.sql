{# A view: each quantity that a book's prices are for, and what the book does to it. Grandfathered and locked ones keep
   their prices; of a run of periods ahead those are repriced that begin when the book is in force and no contract holds. Usage
   then answers the price: quantity times (new / old marginal price)^elasticity, at each end of the assumption. #}
{{ config(materialized='view') }}
with

quantities as (select * from {{ ref('int_scenario_quantities') }}),
tiers as (select * from {{ ref('int_price_book_tiers') }} where book != 'today'),
books as (select * from {{ ref('price_books') }}),

replaced as (

    select distinct
        account_id,
        book,
        price_id,
        book_price_id,
        currency,
        minimum_amount_minor
    from tiers

),

terms as (

    select
        {{ book_name('book') }} as book,
        lower(nullif(trim(segment), '')) as segment,
        lower(nullif(trim(plan), '')) as plan,
        {{ cast_or_null('trim(starts_on)', 'date') }} as starts_on,
        {{ cast_or_null('trim(grandfathers_before)', 'date') }} as grandfathers_before
    from books

),

met as (

    select
        quantities.*,
        replaced.book,
        replaced.book_price_id,
        replaced.minimum_amount_minor,
        coalesce(quantities.started_at < terms.grandfathers_before, false) as is_grandfathered,
        coalesce(quantities.locked_until > quantities.as_of, false) as is_locked,
        greatest(
            quantities.as_of + 1,
            coalesce(terms.starts_on, quantities.as_of),
            coalesce(quantities.locked_until, quantities.as_of)
        ) as in_force_from
    from quantities
    inner join replaced
        on {{ same_keys('quantities', 'replaced', ['account_id', 'price_id', 'currency']) }}
    inner join terms
        on
            replaced.book = terms.book
            and coalesce(terms.segment = lower(quantities.segment), terms.segment is null)
            and coalesce(terms.plan = lower(quantities.plan), terms.plan is null)

),

counted as (

    select
        *,
        case
            when is_grandfathered then 0
            when basis = 'history' then case when is_locked then 0 else 1 end
            else greatest(repeats - {{ periods_begun('period_start', 'in_force_from', 'greatest(period_days, 1)') }}, 0)
        end as repriced_periods
    from met

)

select
    counted.*,
    {% for bound in ('low', 'mid', 'high') -%}
        case
            when counted.repriced_periods > 0 and tiers.marginal_price != counted.marginal_price
                then {{ answered_quantity(
                    'counted.quantity', 'tiers.marginal_price', 'counted.marginal_price', 'counted.elasticity_' ~ bound
                ) }}
            else counted.quantity
        end as quantity_{{ bound }},
    {% endfor -%}
    case
        when counted.repriced_periods > 0 then 'repriced'
        when counted.is_grandfathered then 'grandfathered'
        when counted.is_locked then 'locked'
        else 'not_reached'
    end as reach
from counted
left join tiers
    on
        {{ same_keys('counted', 'tiers', ['account_id', 'book', 'price_id', 'currency']) }}
        and {{ is_in_tier('counted.quantity', 'tiers') }}
