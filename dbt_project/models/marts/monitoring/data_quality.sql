with

checks as (select * from {{ ref('data_quality_checks') }}),
as_of as (select * from {{ ref('int_as_of') }}),

findings as (

    select * from {{ ref('int_quality_of_objects') }}
    union all
    select * from {{ ref('int_quality_of_bills') }}
    union all
    select * from {{ ref('int_quality_of_usage') }}

),

checked as (

    select
        as_of.account_id,
        as_of.as_of,
        checks.check_name,
        checks.severity,
        checks.object_kind,
        coalesce(findings.rows_affected, 0) as rows_affected,
        findings.example_id,
        checks.meaning,
        checks.what_to_do,
        checks.is_of_models
    from as_of
    cross join checks
    left join findings
        on
            as_of.account_id = findings.account_id
            and checks.check_name = findings.check_name

)

select * from checked
