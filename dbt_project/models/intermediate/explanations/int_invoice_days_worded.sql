{# The days behind an invoice's usage, for the meter whose change its text names first: three at most, as usage_drivers
   has them, and only where both compare the same two periods. Days against the change drove nothing, however large: where
   usage rose, the days on which it did. None for periods older than usage_drivers_days. #}
{% set key = ['account_id', 'invoice_id'] %}
with

parts as (select * from {{ ref('int_invoice_parts_worded') }} where part = 'usage'),
quantity_drivers as (select * from {{ ref('usage_drivers') }} where driver = 'quantity'),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

drivers as (

    select
        *,
        -- also what no day says belongs to the change of the period
        sum(quantity_change) over (
            partition by account_id, subscription_item_id, period_start
        ) as period_quantity_change
    from quantity_drivers

),

first_parts as (

    select
        account_id,
        invoice_id,
        min(place) as place
    from parts
    group by account_id, invoice_id

),

days as (

    select
        {{ columns_of('parts', key + ['name']) }},
        {{ columns_of('drivers', ['currency', 'usage_date', 'quantity_change', 'amount_minor']) }},
        row_number() over (
            partition by parts.account_id, parts.invoice_id
            order by abs(drivers.amount_minor) desc, drivers.usage_date asc
        ) as place
    from parts
    inner join first_parts
        on {{ same_keys('parts', 'first_parts', key + ['place']) }}
    inner join drivers
        on {{ same_keys('parts', 'drivers', [
            'account_id', 'subscription_item_id', 'period_start', 'previous_period_start',
        ]) }}
    where
        drivers.usage_date is not null
        and drivers.amount_minor != 0
        and sign(drivers.quantity_change) = sign(drivers.period_quantity_change)

),

worded as (

    select
        days.*,
        {{ fill_template('templates.body', {
            'day': date_text('days.usage_date'),
            'quantity': exact_quantity_to_text('abs(days.quantity_change)'),
            'amount': money_to_text('days.amount_minor', 'days.currency', 'currencies.minor_unit_exponent'),
        }) }} as said,
        {{ as_json({
            'amount_minor': 'days.amount_minor',
            'day': date_text('days.usage_date'),
            'quantity_change': exact_quantity_in_json('days.quantity_change'),
        }) }} as facts
    from days
    inner join currencies
        on days.currency = currencies.currency
    inner join templates
        on templates.kind = case when days.quantity_change > 0 then 'invoice_day_more' else 'invoice_day_less' end
    where days.place <= 3

)

select
    account_id,
    invoice_id,
    max(name) as name,
    max(case when quantity_change > 0 then 'more' else 'less' end) as direction,
    {{ texts_joined('said', ', ', 'place') }} as days,
    {{ json_of_rows('facts', 'place') }} as facts
from worded
group by account_id, invoice_id
