with

quoted as (select * from {{ source('reference', 'fx_rates') }}),
demo as (select * from {{ ref('fx_rates') }}),

quotes as (

    select
        date,
        from_currency,
        to_currency,
        rate
    from quoted
    union all
    select
        date,
        from_currency,
        to_currency,
        rate
    from demo
    -- made-up rates never stand beside real ones
    where not exists (select 1 from quoted)

),

typed as (

    select
        cast(date as date) as quoted_on,
        lower(from_currency) as from_currency,
        lower(to_currency) as to_currency,
        {{ cast_or_null('rate', 'decimal(28, 12)') }} as rate
    from quotes

)

-- a pair quoted twice on a day has one rate, whichever: the greater
select
    quoted_on,
    from_currency,
    to_currency,
    max(rate) as rate
from typed
where
    -- beyond these it is no rate, and amounts would not fit
    rate between 0.000001 and 1000000
    and quoted_on is not null
    and from_currency is not null
    and to_currency is not null
group by
    quoted_on,
    from_currency,
    to_currency
