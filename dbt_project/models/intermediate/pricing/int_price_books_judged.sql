{# The word on every book: refused with the rows that are wrong (three of them at most), or fit to be proposed. #}
{% set named = 3 %}
with

books as ({{ price_book_names() }}),
found as (select * from {{ ref('int_price_book_breaches') }}),
tiers as (select * from {{ ref('int_price_book_tiers') }}),
customers as (select * from {{ ref('pricing_scenario_customers') }} where reach = 'repriced'),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
as_of as (select * from {{ ref('int_as_of') }}),
rules as (select * from {{ ref('price_rules') }}),
tier_rows as ({{ price_book_rows() }}),
matches as ({{ price_book_matches('tier_rows') }}),
unmatched as ({{ rows_without_price('as_of', 'tier_rows', 'matches') }}),

worded as (

    select
        found.account_id,
        found.book,
        {{ fill_template('templates.body', {'row': 'found.row_text', 'limit': "coalesce(trim(rules.value), 'none')"}) }}
            as said,
        row_number() over (partition by found.account_id, found.book order by found.fault, found.row_text) as place,
        count(*) over (partition by found.account_id, found.book) as faults
    from found
    inner join templates
        on 'price_refused_' || found.fault = templates.kind
    left join rules
        on found.fault = trim(rules.rule)

),

refused as (

    select
        account_id,
        book,
        {{ texts_joined('said', '; ', 'place') }} as refusal,
        max(faults) as faults
    from worded
    where place <= {{ named }}
    group by account_id, book

),

margins as (

    select
        account_id,
        book,
        basis,
        {{ share_of(sum_if_known('after_minor - cost_after_minor'), 'sum(after_minor)') }} as margin,
        count(*) as customers,
        basis = max(basis) over (partition by account_id, book, currency) as is_judged
    from customers
    group by account_id, book, basis, currency

),

reached as (

    select
        account_id,
        book,
        case when count(margin) = count(*) then min(margin) end as margin,
        sum(customers) as customers
    from margins
    where is_judged
    group by account_id, book

),

replaced as (

    select
        account_id,
        book,
        count(distinct concat_ws(' ', price_id, currency)) as prices
    from tiers
    group by account_id, book

),

named as (

    select
        named as book,
        max(says) as says
    from books
    group by named
    union all
    select
        book,
        null as says
    from found
    where fault = 'unknown_book'
    group by book

)

select
    as_of.account_id,
    named.book,
    {{ safe_text('named.says') }} as says,
    refused.account_id is not null as is_refused,
    refused.refusal,
    cast(coalesce(refused.faults, 0) as integer) as faults,
    cast(coalesce(replaced.prices, 0) as integer) as prices_replaced,
    unmatched.rows_without_price,
    cast(coalesce(reached.customers, 0) as integer) as customers_repriced,
    reached.margin
from as_of
cross join named
{% for relation in ('refused', 'replaced', 'unmatched', 'reached') -%}
    left join {{ relation }}
        on
            as_of.account_id = {{ relation }}.account_id
            and named.book = {{ relation }}.book
{% endfor %}
