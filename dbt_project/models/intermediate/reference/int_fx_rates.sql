{# What one unit of a currency is in the reporting currency and from when to when: numerator over denominator. A rate
   holds until the next one is quoted. A pair quoted that way round is taken as it is; else the other way round, exactly;
   else over a third currency, rounded to twelve decimals. #}
{% set trillion = '1000000000000' %}
with

-- feeds may quote a currency in itself
quotes as (select * from {{ ref('stg_reference__fx_rates') }} where from_currency != to_currency),

each_way as (

    select
        from_currency,
        to_currency,
        quoted_on,
        cast(rate * {{ trillion }} as bigint) as numerator,
        cast({{ trillion }} as bigint) as denominator,
        1 as preference
    from quotes
    union all
    select
        to_currency as from_currency,
        from_currency as to_currency,
        quoted_on,
        cast({{ trillion }} as bigint) as numerator,
        cast(rate * {{ trillion }} as bigint) as denominator,
        2 as preference
    from quotes

),

ranked as (

    select
        *,
        min(preference) over (partition by from_currency, to_currency) as best
    from each_way

),

held as (

    select
        from_currency,
        to_currency,
        quoted_on,
        numerator,
        denominator,
        {{ divide_half_up('cast(numerator as decimal(38, 0)) * ' ~ trillion, 'denominator') }} as trillionths,
        quoted_on as valid_from,
        lead(quoted_on) over (partition by from_currency, to_currency order by quoted_on) as valid_to
    from ranked
    where preference = best

),

crossed as (

    select
        first_legs.from_currency,
        second_legs.to_currency,
        least(first_legs.quoted_on, second_legs.quoted_on) as quoted_on,
        greatest(first_legs.valid_from, second_legs.valid_from) as valid_from,
        least(first_legs.valid_to, second_legs.valid_to) as valid_to,
        {{ divide_half_up(
            'cast(first_legs.trillionths as decimal(38, 0)) * second_legs.trillionths', trillion
        ) }} as numerator,
        cast({{ trillion }} as bigint) as denominator,
        dense_rank() over (partition by first_legs.from_currency order by first_legs.to_currency) as way
    from held as first_legs
    inner join held as second_legs
        on
            first_legs.to_currency = second_legs.from_currency
            and second_legs.to_currency = '{{ reporting_currency() }}'
            and first_legs.from_currency != second_legs.to_currency
            and coalesce(first_legs.valid_from < second_legs.valid_to, true)
            and coalesce(second_legs.valid_from < first_legs.valid_to, true)
            -- beyond a million it is no rate, and would not fit
            and cast(first_legs.trillionths as decimal(38, 0)) * second_legs.trillionths
            <= cast({{ trillion }} as decimal(38, 0)) * 1000000000000000000

)

select
    '{{ reporting_currency() }}' as from_currency,
    cast(null as date) as quoted_on,
    date '0001-01-01' as valid_from,
    cast(null as date) as valid_to,
    cast(1 as bigint) as numerator,
    cast(1 as bigint) as denominator
union all
select
    from_currency,
    quoted_on,
    valid_from,
    valid_to,
    numerator,
    denominator
from held
where to_currency = '{{ reporting_currency() }}'
union all
select
    crossed.from_currency,
    crossed.quoted_on,
    crossed.valid_from,
    crossed.valid_to,
    crossed.numerator,
    crossed.denominator
from crossed
left join held
    on
        crossed.from_currency = held.from_currency
        and crossed.to_currency = held.to_currency
where
    crossed.way = 1
    and held.from_currency is null
