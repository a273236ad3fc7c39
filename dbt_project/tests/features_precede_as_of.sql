{# No feature row lies after as_of, and no label is called mature before its horizon and settling time are over. #}
with

usage_asof as (select * from {{ ref('usage_asof') }}),
customer_asof as (select * from {{ ref('customer_asof') }}),
churn_labels as (select * from {{ ref('churn_labels') }}),
as_of as (select * from {{ ref('int_as_of') }}),

dated as (

    select
        account_id,
        origin_date as known_on
    from usage_asof
    union all
    select
        account_id,
        as_of_date
    from customer_asof
    union all
    select
        account_id,
        matured_on
    from churn_labels
    where is_mature

)

select dated.*
from dated
inner join as_of
    on dated.account_id = as_of.account_id
where dated.known_on > as_of.as_of
