{# The numbers that the rule of a kind needs, as a select of one row with a column for each of `names` (seed
   action_rules). A number that the seed does not have is null, and nothing is proposed. #}
{% macro rules_of(kind, names) -%}
    select
        {% for name in names -%}
            max(case when name = '{{ name }}' then value end) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('action_rules') }}
    where kind = '{{ kind }}'
{%- endmacro %}

{# Tries to collect an invoice are alike when they have the same number (the fourth and later count as one), and are
   made about as long after the one before. #}
{% macro tries_alike(attempt_number) -%}
    least({{ attempt_number }}, 4)
{%- endmacro %}

{% macro days_alike(days) -%}
    case when {{ days }} < 2 then 0 when {{ days }} < 4 then 2 when {{ days }} < 8 then 4 else 8 end
{%- endmacro %}

{# The mean of a Beta that began at `share` with the weight of `weight` trials, after `hits` of `trials` (a double). #}
{% macro drawn_share(hits, trials, share, weight) -%}
    {{ share_of('(' ~ hits ~ ' + ' ~ weight ~ ' * ' ~ share ~ ')', '(' ~ trials ~ ' + ' ~ weight ~ ')', 'double') }}
{%- endmacro %}

{# Half of the band in which such a share lies at 80 %, by the normal approximation: 1.28 standard deviations of the
   Beta; `trials` includes the weight that it began with. #}
{% macro share_spread(share, trials) -%}
    {{ z_of('80') }} * sqrt({{ share }} * (1 - {{ share }}) * {{ share_of('1', '(' ~ trials ~ ' + 1)', 'double') }})
{%- endmacro %}

{# A double share of an amount of minor units, as a bigint, halves away from zero. #}
{% macro share_of_money(amount_minor, share) -%}
    cast(round({{ amount_minor }} * cast({{ share }} as decimal(18, 9))) as bigint)
{%- endmacro %}

{# A select: per invoice of `invoices` (with tries_made), how many of `dunning` (int_dunning_invoices whose end is known)
   failed at least as often, invoices_alike, and how many of those were collected all the same, recovered_alike. #}
{% macro recovered_alike(invoices, dunning) %}
    select
        invoices.account_id,
        invoices.invoice_id,
        sum(failures.invoices_failed) as invoices_alike,
        sum(failures.invoices_recovered) as recovered_alike
    from {{ invoices }} as invoices
    inner join (
        select
            account_id,
            attempts_made - case when outcome = 'recovered' then 1 else 0 end as tries_failed,
            count(*) as invoices_failed,
            sum(case when outcome = 'recovered' then 1 else 0 end) as invoices_recovered
        from {{ dunning }}
        group by
            account_id,
            attempts_made - case when outcome = 'recovered' then 1 else 0 end
    ) as failures
        on
            invoices.account_id = failures.account_id
            and invoices.tries_made <= failures.tries_failed
    group by
        invoices.account_id,
        invoices.invoice_id
{% endmacro %}
