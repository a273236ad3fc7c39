{# What is advised together in each currency. The band of the sum takes recommendations as independent, half-widths in
   quadrature; but what a kind is assumed to do (action_kinds.effect) is common to all of the kind: theirs are added. #}
with

recommendations as (
    select
        *,
        expected_value_minor - expected_value_low_minor as below_minor,
        expected_value_high_minor - expected_value_minor as above_minor
    from {{ ref('recommendations') }}
    where kind != 'customer_message' and not is_held_back
),
kinds as (select * from {{ ref('action_kinds') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where kind = 'digest_advice_worth' and locale = 'en'),

-- whole numbers: their sums do not depend on the order of rows
by_kind as (

    select
        recommendations.account_id,
        recommendations.currency,
        recommendations.kind,
        kinds.effect is not null as is_assumed,
        count(*) as recommendations,
        sum(recommendations.expected_value_minor) as value_minor,
        sum(recommendations.below_minor) as below_minor,
        sum(recommendations.above_minor) as above_minor,
        sum({{ squared('recommendations.below_minor') }}) as below_squared,
        sum({{ squared('recommendations.above_minor') }}) as above_squared

    from recommendations
    inner join kinds
        on recommendations.kind = kinds.kind
    group by recommendations.account_id, recommendations.currency, recommendations.kind, kinds.effect is not null

),

by_currency as (

    select
        account_id,
        currency,
        cast(sum(recommendations) as bigint) as recommendations,
        cast(sum(value_minor) as bigint) as value_minor,
        sqrt(cast(
            sum(case when is_assumed then {{ squared('below_minor') }} else below_squared end) as {{ double_type() }}
        )) as below,
        sqrt(cast(
            sum(case when is_assumed then {{ squared('above_minor') }} else above_squared end) as {{ double_type() }}
        )) as above

    from by_kind
    group by account_id, currency

),

banded as (

    select
        account_id,
        currency,
        recommendations,
        value_minor,
        value_minor - cast(round(below) as bigint) as value_low_minor,
        value_minor + cast(round(above) as bigint) as value_high_minor

    from by_currency

),

in_words as (

    select
        banded.*,
        {{ fill_template('templates.body', {
            'value': money_to_text('banded.value_minor', 'banded.currency', 'currencies.minor_unit_exponent'),
            'low': money_to_text('banded.value_low_minor', 'banded.currency', 'currencies.minor_unit_exponent'),
            'high': money_to_text('banded.value_high_minor', 'banded.currency', 'currencies.minor_unit_exponent'),
        }) }} as worth

    from banded
    inner join currencies
        on banded.currency = currencies.currency
    cross join templates

)

select * from in_words
