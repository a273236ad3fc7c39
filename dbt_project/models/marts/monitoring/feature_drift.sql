with

drift as (select * from {{ ref('stg_ml__feature_drift') }}),

described as (

    select
        feature,
        segment,
        as_of,
        psi,
        psi_limit,
        n,
        is_breach,
        run_id

    from drift

)

select * from described
