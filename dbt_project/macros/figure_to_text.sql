{# A model's figure for people, with so many decimals: never for money. #}
{% macro figure_to_text(figure, decimals) %}
  printf('%.{{ decimals }}f', {{ figure }})
{% endmacro %}
