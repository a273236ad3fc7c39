{# What is wrong with a book before anything is rated: the first fault of each of its rows. A book with a fault
   replaces nothing; the others are computed. #}
with

books as ({{ price_book_names() }}),
currencies as (select * from {{ ref('currencies') }}),
as_of as (select * from {{ ref('int_as_of') }}),
tier_rows as ({{ price_book_rows() }}),
matches as ({{ price_book_matches('tier_rows') }}),

placed as (

    select
        tier_rows.*,
        currencies.currency is not null as has_currency,
        tier_rows.book in (select books.named from books) as has_book,
        lag(tier_rows.up_to, 1, 0) over (
            partition by tier_rows.book, tier_rows.price_name
            order by tier_rows.is_last, tier_rows.up_to, tier_rows.row_text
        ) as lower_bound,
        count(*) over (
            partition by tier_rows.book, tier_rows.price_name, tier_rows.up_to, tier_rows.is_last
        ) as rows_to_the_bound,
        bool_or(tier_rows.is_last) over (partition by tier_rows.book, tier_rows.price_name) as has_last,
        max(tier_rows.terms) over (partition by tier_rows.book, tier_rows.price_name) as highest_terms,
        lead(tier_rows.up_to) over (
            partition by tier_rows.book, tier_rows.price_name
            order by tier_rows.is_last, tier_rows.up_to, tier_rows.row_text
        ) is null as is_highest
    from tier_rows
    left join currencies
        on tier_rows.currency = currencies.currency

),

of_rows as (

    select
        book,
        row_text,
        case
            when not coalesce(has_book, false) then 'unknown_book'
            when meter_event_name is null and price_id is null then 'unnamed_price'
            when not has_currency then 'unknown_currency'
            when not has_mode then 'unknown_mode'
            when not coalesce(has_numbers, false) then 'not_a_number'
            when has_no_price or (tiers_mode = 'package' and package_size is null) then 'no_price'
            when is_negative then 'negative_price'
            when rows_to_the_bound > 1 then 'duplicate_row'
            when is_untiered and (not is_last or above != 0 or flat_amount_decimal != 0) then 'terms_of_tiers'
            when has_package and tiers_mode != 'package' then 'terms_of_packages'
            when above > lower_bound then 'gap'
            when above < lower_bound then 'overlap'
            when not has_last and is_highest then 'last_tier_bounded'
            when terms != highest_terms then 'mixed_terms'
        end as fault
    from placed

),

of_books as (

    select
        books.named as book,
        {{ safe_text("concat_ws(',', books.book, books.says, books.starts_on, books.grandfathers_before)") }}
            as row_text,
        case
            when books.named in ('unnamed', 'today_taken') then 'reserved_name'
            when count(*) over (partition by books.named) > 1 then 'duplicate_row'
            when {{ is_no_day('books.starts_on') }} or {{ is_no_day('books.grandfathers_before') }} then 'not_a_day'
            when books.named not in (select tier_rows.book from tier_rows) then 'no_tiers'
        end as fault
    from books

),

everywhere as (

    select * from of_rows
    union all
    select * from of_books

),

-- a price that two names reach has two prices; a name of prices for other lengths of time bills one as the other
of_matches as (

    select
        account_id,
        book,
        {{ texts_joined('price_name', ' and ', 'price_name') }} as row_text,
        'named_twice' as fault
    from matches
    group by account_id, book, price_id, currency
    having count(*) > 1
    union all
    select
        account_id,
        book,
        price_name as row_text,
        'several_intervals' as fault
    from matches
    group by account_id, book, price_name
    having count(distinct concat_ws(' ', billing_interval, interval_count)) > 1

)

select
    as_of.account_id,
    everywhere.book,
    everywhere.row_text,
    everywhere.fault
from as_of
cross join everywhere
where everywhere.fault is not null
union all
select * from of_matches
