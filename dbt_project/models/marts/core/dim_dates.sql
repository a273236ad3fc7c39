with

customers as (select * from {{ ref('stg_stripe__customers') }}),
as_of as (select * from {{ ref('int_as_of') }}),

span as (

    select
        min({{ month_start('customers.created_at') }}) as first_day,
        -- a year ahead, for forecasts
        max({{ month_end('as_of.as_of + 365') }}) as last_day
    from customers
    inner join as_of
        on customers.account_id = as_of.account_id
    having count(*) > 0

),

days as (select {{ days_between('first_day', 'last_day') }} as date_day from span),

described as (

    select
        date_day,
        cast({{ iso_weekday('date_day') }} as integer) as iso_weekday,
        {{ iso_weekday('date_day') }} >= 6 as is_weekend,
        {{ month_start('date_day') }} as month_start,
        date_day = {{ month_end('date_day') }} as is_month_end,
        cast(date_trunc('quarter', date_day) as date) as quarter_start,
        cast(date_trunc('year', date_day) as date) as year_start
    from days

)

select * from described
