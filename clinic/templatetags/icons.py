"""The icons of heroicons, each drawn once a process: the library parses and writes its XML at every use."""

from functools import lru_cache

from django import template
from heroicons.templatetags import heroicons

register = template.Library()

for draw in (heroicons.heroicon_micro, heroicons.heroicon_mini, heroicons.heroicon_outline, heroicons.heroicon_solid):
    register.simple_tag(lru_cache(maxsize=200)(draw), name=draw.__name__)
