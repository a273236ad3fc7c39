{# The tier rule read backwards: the smallest whole number of units whose price, rounded as a line is, reaches an amount.
   For whole `need_minor` above zero, unit_amount_decimal above zero (else null), amounts in multiples of `multiple`:
   ceil((2 n - m) / 2u), n being the amount rounded up to m, counted in units of 10^-12 so that all of it is whole.
   What comes of it is rated once more by `rate` before anybody relies on it. #}
{% macro units_reaching(need_minor, unit_amount, multiple) -%}
    {%- set price = 'cast(' ~ unit_amount ~ ' * 1000000000000 as decimal(38, 0))' -%}
    {%- set least = '(2 * ' ~ multiple_above(need_minor, multiple) ~ ' - ' ~ multiple ~ ')' -%}
    {%- set whole = 'cast(' ~ least ~ ' as decimal(38, 0)) * cast(1000000000000 as decimal(38, 0))' -%}
    case
        when {{ unit_amount }} > 0 and {{ need_minor }} < {{ largest_amount_minor() }} then
            {{ divide_half_up('2 * ' ~ whole ~ ' + 2 * ' ~ price ~ ' - 1', '4 * ' ~ price) }}
    end
{%- endmacro %}

{# An amount rounded up to a multiple of 1, 10 or 100. #}
{% macro multiple_above(amount, multiple) -%}
    (-floor(-{{ amount }} * case {{ multiple }} when 10 then 0.1 when 100 then 0.01 else 1 end) * {{ multiple }})
{%- endmacro %}
