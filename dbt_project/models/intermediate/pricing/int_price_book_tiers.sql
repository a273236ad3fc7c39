{# Prices of the books without fault, in the shape of int_price_tiers: what they replace, and under a price_id of their
   own what they are. The catalogue itself is the book `today`. #}
with

faults as (select * from {{ ref('int_price_book_faults') }}),
catalogue as (select * from {{ ref('int_price_tiers') }}),
currencies as (select * from {{ ref('currencies') }}),
tier_rows as ({{ price_book_rows() }}),
matches as ({{ price_book_matches('tier_rows') }}),

faulty as (

    select distinct
        account_id,
        book
    from faults

),

sound as (

    select matches.*
    from matches
    left join faulty
        on {{ same_keys('matches', 'faulty', ['account_id', 'book']) }}
    where faulty.book is null

),

tiered as (

    select
        sound.account_id,
        sound.book,
        sound.price_id,
        concat_ws(' ', sound.book, sound.price_id) as book_price_id,
        sound.currency,
        case
            when tier_rows.tiers_mode != 'package' then tier_rows.tiers_mode
            when tier_rows.package_rounding = 'down' then 'package_down'
            else 'package_up'
        end as rating_mode,
        case when tier_rows.tiers_mode = 'package' then tier_rows.package_size end as package_size,
        cast(row_number() over (
            partition by sound.account_id, sound.book, sound.price_id, sound.currency
            order by tier_rows.is_last, tier_rows.up_to
        ) as integer) as tier_index,
        cast(lag(tier_rows.up_to, 1, 0) over (
            partition by sound.account_id, sound.book, sound.price_id, sound.currency
            order by tier_rows.is_last, tier_rows.up_to
        ) as decimal(18, 6)) as lower_bound,
        tier_rows.up_to as upper_bound,
        tier_rows.unit_amount_decimal,
        tier_rows.flat_amount_decimal,
        coalesce(tier_rows.minimum_amount_minor, 0) as minimum_amount_minor,
        tier_rows.row_text
    from sound
    inner join tier_rows
        on {{ same_keys('sound', 'tier_rows', ['book', 'price_name']) }}
    union all
    select
        account_id,
        'today' as book,
        price_id,
        price_id as book_price_id,
        currency,
        rating_mode,
        package_size,
        tier_index,
        lower_bound,
        upper_bound,
        unit_amount_decimal,
        flat_amount_decimal,
        cast(0 as bigint) as minimum_amount_minor,
        cast(null as {{ text_type() }}) as row_text
    from catalogue

),

-- usage inside an included quota answers the price of the first unit beyond it
followed as (

    select
        *,
        min(case when unit_amount_decimal > 0 then tier_index end) over (
            partition by account_id, book, price_id, currency order by tier_index
            rows between current row and unbounded following
        ) as paid_index,
        max(case when unit_amount_decimal > 0 then tier_index end) over (
            partition by account_id, book, price_id, currency
        ) as last_paid_index
    from tiered

)

select
    followed.account_id,
    followed.book,
    followed.price_id,
    followed.book_price_id,
    followed.currency,
    followed.rating_mode,
    followed.package_size,
    followed.tier_index,
    followed.lower_bound,
    followed.upper_bound,
    followed.unit_amount_decimal,
    followed.flat_amount_decimal,
    followed.minimum_amount_minor,
    coalesce(currencies.billed_multiple_of, 1) as billed_multiple_of,
    {{ share_of('paid.unit_amount_decimal', 'coalesce(paid.package_size, 1)', 'double') }} as marginal_price,
    followed.row_text
from followed
left join tiered as paid
    on
        {{ same_keys('followed', 'paid', ['account_id', 'book', 'price_id', 'currency']) }}
        and coalesce(followed.paid_index, followed.last_paid_index) = paid.tier_index
left join currencies
    on followed.currency = currencies.currency
