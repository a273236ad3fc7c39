{# Each book for each currency and segment (`all` adds segments up), beside today; without figures where it is refused
   because nobody can tell what it says. #}
{% set sums = [
    'invoiced_minor', 'before_minor', 'after_unchanged_usage_minor', 'after_minor', 'after_low_minor', 'after_high_minor',
] %}
{% set known_sums = ['cost_before_minor', 'cost_after_minor'] %}
{% set worths = ['ltv_before_minor', 'ltv_after_minor', 'ltv_after_low_minor', 'ltv_after_high_minor'] %}
{% set group = ['account_id', 'book', 'basis', 'currency'] %}
with

customers as (select * from {{ ref('pricing_scenario_customers') }}),
judged as (select * from {{ ref('int_price_books_judged') }}),
as_of as (select * from {{ ref('int_as_of') }}),

levels as (

    select
        customers.*,
        'all' as level
    from customers
    union all
    select
        customers.*,
        coalesce(customers.segment, 'none') as level
    from customers

),

summed as (

    select
        {{ group | join(', ') }},
        level as segment,
        {% for reach in ('repriced', 'grandfathered', 'locked', 'not_reached') -%}
            cast(sum(case when reach = '{{ reach }}' then 1 else 0 end) as integer) as customers_{{ reach }},
        {% endfor -%}
        cast(count(*) as integer) as customers,
        cast(sum(case when outcome = 'winner' then 1 else 0 end) as integer) as winners,
        cast(sum(case when outcome = 'loser' then 1 else 0 end) as integer) as losers,
        cast(sum(case when is_bill_shock then 1 else 0 end) as integer) as customers_shocked,
        cast(sum(case when has_other_currency then 1 else 0 end) as integer) as customers_in_other_currencies,
        cast(sum(unrated_periods) as integer) as unrated_periods,
        {% for sum in sums + worths -%}
            cast(sum({{ sum }}) as bigint) as {{ sum }},
        {% endfor -%}
        {% for sum in known_sums -%}
            {{ sum_if_known(sum) }} as {{ sum }},
        {% endfor -%}
        cast(count(ltv_after_minor) as integer) as customers_valued
    from levels
    group by {{ group | join(', ') }}, level

),

today as (select * from summed where book = 'today'),

books as (

    select
        account_id,
        book,
        says,
        is_refused,
        refusal,
        rows_without_price
    from judged
    union all
    select
        account_id,
        'today' as book,
        cast(null as {{ text_type() }}) as says,
        false as is_refused,
        cast(null as {{ text_type() }}) as refusal,
        cast(null as {{ text_type() }}) as rows_without_price
    from as_of

)

select
    today.account_id,
    books.book,
    today.basis,
    today.currency,
    today.segment,
    as_of.as_of,
    books.says,
    books.is_refused,
    books.refusal,
    books.rows_without_price,
    coalesce(summed.customers, today.customers) as customers,
    {% for count in [
        'customers_repriced', 'customers_grandfathered', 'customers_locked', 'customers_not_reached', 'winners', 'losers',
        'customers_shocked',
    ] + sums + known_sums -%}
        summed.{{ count }},
    {% endfor -%}
    summed.after_minor - summed.before_minor as change_minor,
    {{ share_of('summed.after_minor - summed.before_minor', 'summed.before_minor') }} as change_share,
    {{ share_of('summed.before_minor - summed.cost_before_minor', 'summed.before_minor') }} as margin_before,
    {{ share_of('summed.after_minor - summed.cost_after_minor', 'summed.after_minor') }} as margin_after,
    summed.customers_valued,
    {% for sum in worths -%}
        summed.{{ sum }},
    {% endfor -%}
    summed.customers_in_other_currencies,
    summed.unrated_periods
from today
inner join books
    on today.account_id = books.account_id
inner join as_of
    on today.account_id = as_of.account_id
left join summed
    on
        {{ same_keys('today', 'summed', ['account_id', 'basis', 'currency', 'segment']) }}
        and books.book = summed.book
