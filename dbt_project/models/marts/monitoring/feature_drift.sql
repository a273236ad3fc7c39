with

drift as (select * from {{ ref('stg_ml__feature_drift') }}),
accounts as (select * from {{ ref('int_as_of') }}),

described as (

    select
        accounts.account_id,
        drift.feature,
        drift.segment,
        drift.as_of,
        drift.psi,
        drift.psi_limit,
        drift.n,
        drift.is_breach,
        drift.run_id

    -- a model is the warehouse's: every account in it is scored by it
    from drift
    cross join accounts

)

select * from described
