"""How every form of ours cleans what it is sent, says what is open and is laid out."""

from functools import partial
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.core.exceptions import ValidationError
from django.db.models.fields import BLANK_CHOICE_DASH

from clinic.cleaning import Unclean, clean_text

LONGEST = 2000  # characters of a text that sets no limit of its own


def lay_out(form: Any, *fields: Any) -> None:
    """A form without its own <form> tag: the page writes the tag, so that keys and buttons stay visible there.

    What needs a look is listed in the order of the page, whatever the order in which the fields were written down.
    """
    form.helper = FormHelper()
    form.helper.form_tag = False
    form.helper.layout = Layout(*fields)
    form.order_fields([pointer.name for pointer in form.helper.layout.get_field_names()])


def clean_as_text(field: forms.Field) -> None:
    """Let a text field clean what it is given before it measures it: normal form can be longer. Passwords are taken as they are typed.

    A field without a limit of its own takes LONGEST characters.
    """
    if not isinstance(field, forms.CharField) or isinstance(field.widget, forms.PasswordInput) or hasattr(field, "stock_to_python"):
        return
    field.stock_to_python = field.to_python  # type: ignore[attr-defined]
    field.to_python = partial(_cleaned, field)  # type: ignore[method-assign]


def _cleaned(field: forms.CharField, value: Any) -> Any:
    limit = LONGEST if field.max_length is None else None  # a limit of its own is the field's to say
    try:
        return field.stock_to_python(clean_text(value, max_length=limit) if isinstance(value, str) else value)  # type: ignore[attr-defined]
    except Unclean as problem:
        raise ValidationError(str(problem)) from None


def name_open_choice(field: forms.Field) -> None:
    """A menu in which nothing is chosen yet says so; an empty choice with a name of its own keeps it."""
    if isinstance(field, forms.ModelChoiceField):
        field.empty_label = "Choose" if field.empty_label else field.empty_label
    elif isinstance(field, forms.ChoiceField):
        dashes = BLANK_CHOICE_DASH[0]
        field.choices = [("", "Choose") if choice == dashes else choice for choice in list(field.choices)]  # type: ignore[arg-type]


class Careful(forms.BaseForm):
    """Every text cleaned the one way (clinic/cleaning.py); an open choice says so. Other words: clinic/words.po.

    A form that is not one fails `manage.py check` by name.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            name_open_choice(field)

    def full_clean(self) -> None:
        for field in self.fields.values():  # now, because some forms add fields while they are made
            clean_as_text(field)
        super().full_clean()


def columns(*names: str) -> Row:
    return Row(*[Column(name, css_class="col-md") for name in names])


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%Y-%m-%d", **kwargs)
