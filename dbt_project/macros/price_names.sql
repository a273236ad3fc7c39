{# The prices of each account that a relation of such rows names: one row per account, book, name and price of that name. #}
{% macro price_book_matches(rows) %}

    select distinct
        catalogue.account_id,
        named.book,
        named.price_name,
        catalogue.price_id,
        catalogue.currency,
        prices.billing_interval,
        prices.interval_count
    from (
        select distinct
            account_id,
            price_id,
            currency
        from {{ ref('int_price_tiers') }}
    ) as catalogue
    inner join {{ ref('dim_prices') }} as prices
        on {{ same_keys('catalogue', 'prices', ['account_id', 'price_id']) }}
    inner join (
        select distinct
            book,
            price_name,
            price_id,
            plan,
            product,
            meter_event_name,
            currency
        from {{ rows }}
    ) as named
        on
            catalogue.currency = named.currency
            and case
                when named.price_id is not null then catalogue.price_id = named.price_id
                else {{ is_price_named('prices', 'named') }}
            end

{% endmacro %}

{# A select: per account and book the names that fit no price, as the first row of each stands in the file; three at most. #}
{% macro rows_without_price(accounts, rows, matches) %}

    select
        account_id,
        book,
        {{ texts_joined('row_text', '; ', 'place') }} as rows_without_price
    from (
        select
            accounts.account_id,
            named.book,
            named.row_text,
            row_number() over (partition by accounts.account_id, named.book order by named.row_text) as place
        from {{ accounts }} as accounts
        cross join (
            select
                book,
                price_name,
                min(row_text) as row_text
            from {{ rows }}
            group by book, price_name
        ) as named
        left join {{ matches }} as matched
            on
                accounts.account_id = matched.account_id
                and {{ same_keys('named', 'matched', ['book', 'price_name']) }}
        where matched.price_id is null
    ) as unmatched
    where place <= 3
    group by account_id, book

{% endmacro %}

{# Whether a price of dim_prices is what a row calls by plan or product (lower case, null for any) and meter. #}
{% macro is_price_named(prices, named) -%}
    coalesce(lower({{ prices }}.plan) = {{ named }}.plan, {{ named }}.plan is null)
    and coalesce(lower({{ prices }}.product_name) = {{ named }}.product, {{ named }}.product is null)
    and case
        when {{ named }}.meter_event_name = 'licensed' then {{ prices }}.usage_type = 'licensed'
        else {{ prices }}.usage_type = 'metered' and {{ prices }}.meter_event_name = {{ named }}.meter_event_name
    end
{%- endmacro %}

{# What a book is called: one without a name, or with the name of the implicit one, is refused under another. #}
{% macro book_name(book) -%}
    case
        when coalesce(trim({{ book }}), '') = '' then 'unnamed'
        when lower(trim({{ book }})) = 'today' then 'today_taken'
        else trim({{ book }})
    end
{%- endmacro %}

{# A select: the books with what each is called. #}
{% macro price_book_names() %}

    select
        *,
        {{ book_name('book') }} as named
    from {{ ref('price_books') }}
    -- an empty line is no row
    where concat_ws('', book, says, starts_on, grandfathers_before, segment, plan) != ''

{% endmacro %}
