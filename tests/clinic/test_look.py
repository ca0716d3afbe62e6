"""The look keeps its promises: readable in both themes, nothing the Content-Security-Policy would block, components that never fail."""

import re
from itertools import pairwise
from pathlib import Path

import django.contrib.admin
import pytest
from django.template.loader import render_to_string

ROOT = Path(__file__).resolve().parents[2]
ADMIN = Path(django.contrib.admin.__file__).parent / "static/admin"
STYLES = sorted((ROOT / "clinic/static/clinic").glob("*.css"))
SCRIPTS = sorted((ROOT / "clinic/static/clinic").glob("*.js"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
COMPONENTS = sorted((ROOT / "templates/components").glob("*.html")) + sorted((ROOT / "templates/intake/widgets").glob("*.html"))

# (text, background): each at least 4.5:1 (WCAG 2.2, 1.4.3)
TEXT = [(text, ground) for ground in ("page", "surface", "sunken", "accent-soft") for text in ("ink", "ink-2", "link", "accent")] + [
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-critical", "critical"),
    *[(level, f"{level}-soft") for level in ("critical", "high", "moderate", "info")],
    *[(level, ground) for level in ("critical", "high", "moderate", "info") for ground in ("page", "surface")],
    *[(text, f"{level}-soft") for level in ("critical", "high", "moderate", "info") for text in ("ink", "ink-2", "link")],
]
# What is not text but must be seen, such as the border of a field: 3:1 (1.4.11)
SHAPES = [("line-strong", "page"), ("line-strong", "surface"), ("focus", "page"), ("focus", "surface")]


def tokens() -> dict[str, dict[str, str]]:
    """Theme to token to hex color, as tokens.css says; dark inherits what it does not say."""
    text = (ROOT / "clinic/static/clinic/tokens.css").read_text()
    light, dark = text.split("@media screen")
    found = [dict(re.findall(r"--st-([a-z0-9-]+):\s*(#[0-9a-f]{6});", part)) for part in (light, dark)]
    return {"light": found[0], "dark": found[0] | found[1]}


def luminance(color: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1 (WCAG 2.2)."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two #rrggbb colors, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_published() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable(theme: str) -> None:
    colors = tokens()[theme]
    weak = [f"{text} on {ground}: {ratio:.2f}" for text, ground in TEXT if (ratio := contrast(colors[text], colors[ground])) < 4.5]
    assert not weak


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_borders_and_focus_are_seen(theme: str) -> None:
    colors = tokens()[theme]
    weak = [f"{shape} on {ground}: {ratio:.2f}" for shape, ground in SHAPES if (ratio := contrast(colors[shape], colors[ground])) < 3]
    assert not weak


def test_dark_says_every_color_anew() -> None:
    light, dark = (ROOT / "clinic/static/clinic/tokens.css").read_text().split("@media screen")
    colors = re.compile(r"--st-([a-z0-9-]+):\s*#")
    assert set(colors.findall(light)) == set(colors.findall(dark))


@pytest.mark.parametrize("style", STYLES, ids=lambda path: path.name)
def test_a_style_asks_for_nothing_from_elsewhere(style: Path) -> None:
    text = style.read_text()
    assert not re.search(r"data:|https?:|//[a-z]|@import|url\(", text)
    defined = set(re.findall(r"(--[\w-]+):", "".join(path.read_text() for path in STYLES)))
    if style.name == "admin.css":
        defined |= set(re.findall(r"(--[\w-]+):", (ADMIN / "css/base.css").read_text()))
    used = {name for name in re.findall(r"var\((--[\w-]+)", text) if not name.startswith("--bs-")}
    assert used <= defined


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_needs_no_eval_and_keeps_no_answers_in_the_browser(script: Path) -> None:
    text = script.read_text()
    assert not re.search(r"\beval\(|new Function|https?:|innerHTML|sessionStorage|indexedDB", text)
    assert set(re.findall(r"localStorage\.\w+\((.*?)[,)]", text)) <= {'"steady-theme"'}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_has_nothing_inline(template: Path) -> None:
    text = re.sub(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}", "", template.read_text(), flags=re.DOTALL)
    assert not re.search(r"\sstyle\s*=|<style", text, re.IGNORECASE), "inline style"
    assert not re.search(r"<script(?![^>]*\ssrc=)", text, re.IGNORECASE), "inline script"
    assert not re.search(r"\son[a-z]+\s*=\s*[\"'{]|\shx-on|javascript:|=\s*[\"']data:", text, re.IGNORECASE), "inline handler"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_comment_of_several_lines_is_a_comment(template: Path) -> None:
    """Django's {# #} holds one line; over two it would be printed on the page."""
    assert all("#}" in line.split("{#", 1)[1] for line in template.read_text().splitlines() if "{#" in line)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda path: path.stem)
def test_a_component_says_what_it_takes_and_renders_with_nothing(component: Path) -> None:
    assert component.read_text().startswith(("{#", "{% comment %}"))
    context = {"stage": "planning"} if component.stem == "stage" else {}
    assert "{#" not in render_to_string(str(component.relative_to(ROOT / "templates")), context)


@pytest.mark.parametrize("name", ["400.html", "500.html", "503.html"])
def test_the_pages_of_bad_days_need_no_request_and_no_database(name: str) -> None:
    assert "988" in render_to_string(name)


def test_severity_is_word_icon_and_color_in_that_order() -> None:
    html = render_to_string("components/severity.html", {"level": "CRITICAL"})
    places = [html.index("st-critical"), html.index("Critical"), html.index("<svg")]
    assert all(first < second for first, second in pairwise(places))


def test_a_rule_nobody_has_checked_says_so() -> None:
    assert "not yet clinically reviewed" in render_to_string("components/why.html", {"proof": {"checker": None}})
    assert "not yet clinically reviewed" not in render_to_string("components/why.html", {"proof": {"checker": "A named person"}})


def test_a_key_of_zero_chooses_and_zero_can_be_chosen() -> None:
    options = [{"value": "0", "label": "Not at all", "key": 0}, {"value": "1", "label": "Several days", "key": 1}]
    html = render_to_string("intake/widgets/choice.html", {"name": "q", "id": "q", "options": options, "selected": "0"})
    assert re.findall(r'value="(\d)" data-key="(\d)" (checked)?', html) == [("0", "0", "checked"), ("1", "1", "")]


def test_the_journey_knows_done_current_and_ahead() -> None:
    html = render_to_string("components/stage.html", {"stage": "planning"})
    assert html.count("(done)") == 3
    assert html.count("(ahead)") == 3
    assert 'aria-current="step"' in html
