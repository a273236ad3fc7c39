with

customers as (select * from {{ ref('stg_stripe__customers') }}),

named as (

    select
        account_id,
        customer_id,
        name,
        {{ safe_text('name') }} as name_in_text,
        'customer …' || right(customer_id, 6) as stand_in
    from customers

)

select * from named
